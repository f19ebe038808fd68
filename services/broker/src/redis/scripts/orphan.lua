-- Ends a record in a while if its owner was on a run that is dead. Publishes that the peer is detached.
-- KEYS: 1 record, 2 offline queue, 3 ends of sessions
-- ARGV: 1 resume window in ms, then the incarnations of dead runs
-- Returns 1 if it was.
local old = redis.call('HMGET', KEYS[1], 'state', 'inc', 'session', 'v')
if old[1] ~= 'attached' then return 0 end
for i = 2, #ARGV do
  if old[2] == ARGV[i] then
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
    redis.call('PEXPIRE', KEYS[2], ARGV[1])
    redis.call('HSET', KEYS[1], 'state', 'detached')
    publish_detached(old[3], old[4], ARGV[1])
    return 1
  end
end
return 0
