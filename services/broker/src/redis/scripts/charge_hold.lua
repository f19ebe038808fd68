-- Charges a tenant for a message that is held for a receiver without a session. What was charged counts until the hold
-- ends, in buckets that end by themselves: no counter outlives the node that raised it.
-- KEYS: 1 what the tenant holds: for each bucket, its end in seconds and its bytes
-- ARGV: 1 bytes, 2 hold in ms, 3 most bytes ('0': no bound), 4 length of a bucket in s
-- Returns 1 if it fits, else 0.
local now, held = tonumber(redis.call('TIME')[1]), 0
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if tonumber(all[i]) <= now then redis.call('HDEL', KEYS[1], all[i]) else held = held + all[i + 1] end
end
if ARGV[3] ~= '0' and held + ARGV[1] > tonumber(ARGV[3]) then return 0 end
local length = tonumber(ARGV[4])
local ends = (math.floor((now + ARGV[2] / 1000) / length) + 1) * length
redis.call('HINCRBY', KEYS[1], ends, ARGV[1])
local left = redis.call('PTTL', KEYS[1])
redis.call('PEXPIRE', KEYS[1], math.max(left, (ends - now) * 1000))
return 1
