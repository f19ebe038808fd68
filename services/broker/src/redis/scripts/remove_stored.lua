-- Removes the oldest messages from the offline queue of a peer that this session owns.
-- KEYS: 1 record, 2 offline queue
-- ARGV: 1 session, 2 node, 3 incarnation, 4 messages, 5 their bytes
-- Returns 1 if this session owns the peer, else 0.
local old = redis.call('HMGET', KEYS[1], 'session', 'node', 'inc')
if old[1] ~= ARGV[1] or old[2] ~= ARGV[2] or old[3] ~= ARGV[3] then return 0 end
redis.call('LTRIM', KEYS[2], ARGV[4], -1)
if redis.call('LLEN', KEYS[2]) == 0 then
  redis.call('HDEL', KEYS[1], 'b')
  -- The senders' shares of an empty queue are whole again.
  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    if string.sub(field, 1, 2) == 'c:' then redis.call('HDEL', KEYS[1], field) end
  end
else
  redis.call('HINCRBY', KEYS[1], 'b', -ARGV[5])
end
return 1
