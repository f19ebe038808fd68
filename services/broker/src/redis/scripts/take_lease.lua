-- Takes or renews a node's lease, unless another run of the node holds it. A run that starts takes the lease of a dead
-- run at once: nobody subscribes to the node's channel any more.
-- KEYS: 1 lease, 2 runs
-- ARGV: 1 incarnation, 2 lease in ms, 3 the node's channel ('': this run held the lease before), 4 node
-- Returns 'kept', 'new' if this run did not hold it, or 'foreign'.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] and (ARGV[3] == '' or redis.call('PUBSUB', 'NUMSUB', ARGV[3])[2] > 0) then
  return 'foreign'
end
-- After a write that needs no memory, a script may also write into a full Redis: leases outlive clients' data.
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[4])
return holder == ARGV[1] and 'kept' or 'new'
