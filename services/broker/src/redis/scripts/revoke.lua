-- Stores revocations until their ends, and publishes those that are new or last longer. Those that ended long ago are removed:
-- no clock of a node is as far behind.
-- KEYS: 1 revocations
-- ARGV: 1 channel, 2 margin in s, 3 a revocation to remove (''), then the end in s and the text of each, alternating
-- Returns how many were published.
local now = tonumber(redis.call('TIME')[1])
-- After a write that needs no memory, a script may also write into a full Redis.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
if ARGV[3] ~= '' then redis.call('ZREM', KEYS[1], ARGV[3]) end
local published = 0
for i = 4, #ARGV, 2 do
  local ends = redis.call('ZSCORE', KEYS[1], ARGV[i + 1])
  if not ends or tonumber(ends) < tonumber(ARGV[i]) then
    redis.call('ZADD', KEYS[1], ARGV[i], ARGV[i + 1])
    redis.call('PUBLISH', ARGV[1], ARGV[i] .. ' ' .. ARGV[i + 1])
    published = published + 1
  end
end
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]
if last then redis.call('EXPIREAT', KEYS[1], string.format('%.0f', last + ARGV[2])) end
return published
