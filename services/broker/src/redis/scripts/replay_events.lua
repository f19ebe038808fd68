-- Appends dead events to their partitions again, the oldest first.
-- KEYS: 1 dead events, then each partition
-- ARGV: 1 most events that are looked at, 2 their new time in ms, 3 most events of a partition, 4 time to live in ms,
--       5 if one event alone is wanted: its ID
-- Returns how many.
local replayed = 0
for _, event in ipairs(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[1])) do
  local fields = event[2]
  if not ARGV[5] or fields[2] == ARGV[5] then
    local partition = KEYS[2 + tonumber(fields[12])]
    redis.call('XADD', partition, 'MAXLEN', '=', ARGV[3], '*', 'i', fields[2], 'k', fields[4], 't', ARGV[2], 'b', fields[8])
    redis.call('PEXPIRE', partition, ARGV[4])
    redis.call('XDEL', KEYS[1], event[1])
    replayed = replayed + 1
  end
end
return replayed
