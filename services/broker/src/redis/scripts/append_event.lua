-- Appends an event to a partition of an event stream. The oldest events of a full partition are dropped.
-- KEYS: 1 partition, 2 the note that an event of this key was appended a moment ago
-- ARGV: 1 id, 2 key, 3 time in ms, 4 body, 5 most events, 6 time to live in ms, 7 shortest interval in ms ('0': none)
-- Returns how many events were dropped.
if ARGV[7] ~= '0' and not redis.call('SET', KEYS[2], '', 'NX', 'PX', ARGV[7]) then return 0 end
local before = redis.call('XLEN', KEYS[1])
redis.call('XADD', KEYS[1], 'MAXLEN', '=', ARGV[5], '*', 'i', ARGV[1], 'k', ARGV[2], 't', ARGV[3], 'b', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[6])
return before + 1 - redis.call('XLEN', KEYS[1])
