-- Renews and releases a node's partitions of an event stream, takes free ones up to its share, and counts what waits.
-- KEYS: 1 readers, 2 dead events, then of each partition its lease and itself
-- ARGV: 1 reader, 2 lease in ms, 3 consumer group, 4 time to live of a stream in ms, then for each partition '1' if
--       the reader keeps it, else '0'
-- Returns {share, events, age of the oldest in ms, dead events, numbers of the reader's partitions, from 0}.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- After a write that needs no memory, a script may also write into a full Redis: events must leave it.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[2]), ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local count = (#KEYS - 2) / 2
local share = math.ceil(count / redis.call('ZCARD', KEYS[1]))
local held, free, events, oldest = {}, {}, 0, 0
for i = 1, count do
  local lease, partition = KEYS[2 * i + 1], KEYS[2 * i + 2]
  local holder = redis.call('GET', lease)
  if holder == ARGV[1] and ARGV[4 + i] == '0' then
    redis.call('DEL', lease)
  elseif holder == ARGV[1] then
    held[#held + 1] = i
  elseif not holder then
    free[#free + 1] = i
  end
  local length = redis.call('XLEN', partition)
  if length > 0 then
    events = events + length
    local first = redis.call('XRANGE', partition, '-', '+', 'COUNT', 1)[1]
    oldest = math.max(oldest, now - tonumber(string.match(first[1], '^%d+')))
  end
end
for _, i in ipairs(free) do
  if #held < share then held[#held + 1] = i end
end
table.sort(held)
for n, i in ipairs(held) do
  redis.call('SET', KEYS[2 * i + 1], ARGV[1], 'PX', ARGV[2])
  -- The error of a group that exists is no error here. Any other one is, and the second call raises it.
  local made = redis.pcall('XGROUP', 'CREATE', KEYS[2 * i + 2], ARGV[3], '0', 'MKSTREAM')
  if made.err and not string.find(made.err, 'BUSYGROUP') then
    redis.call('XGROUP', 'CREATE', KEYS[2 * i + 2], ARGV[3], '0', 'MKSTREAM')
  end
  redis.call('PEXPIRE', KEYS[2 * i + 2], ARGV[4])
  held[n] = i - 1
end
return {share, events, oldest, redis.call('XLEN', KEYS[2]), held}
