-- Ends a detached session whose resume window is over. Publishes that the peer is offline.
-- KEYS: 1 record, 2 offline queue
-- ARGV: 1 session, 2 fence
-- Returns 1 if the session ended, 0 if it was resumed or another one has taken its place.
local old = redis.call('HMGET', KEYS[1], 'session', 'v', 'state')
if old[2] then
  if old[1] ~= ARGV[1] or old[2] ~= ARGV[2] or old[3] ~= 'detached' then return 0 end
  if redis.call('PTTL', KEYS[2]) > 0 then
    -- Messages that are held for longer than the session stay.
    redis.call('HDEL', KEYS[1], 'session', 'node', 'inc', 'secret', 'q', 't', 'touches', 'v')
    redis.call('HSET', KEYS[1], 'state', 'held')
    for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
      if string.sub(field, 1, 2) == 'r:' then redis.call('HDEL', KEYS[1], field) end
    end
  else
    redis.call('DEL', KEYS[1], KEYS[2])
  end
end
publish_presence(ARGV[2], 'offline')
return 1
