-- Moves an event to the dead ones, unless it is gone: another node has delivered it.
-- KEYS: 1 partition, 2 dead events
-- ARGV: 1 consumer group, 2 entry, 3 id, 4 key, 5 time in ms, 6 body, 7 reason, 8 number of the partition,
--       9 most dead events, 10 their time to live in ms
-- Returns 1 if it was there, else 0.
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
if redis.call('XDEL', KEYS[1], ARGV[2]) == 0 then return 0 end
redis.call('XADD', KEYS[2], 'MAXLEN', '=', ARGV[9], '*', 'i', ARGV[3], 'k', ARGV[4], 't', ARGV[5], 'b', ARGV[6],
  'r', ARGV[7], 'p', ARGV[8])
redis.call('PEXPIRE', KEYS[2], ARGV[10])
return 1
