-- Gives a claim up; nothing stays. Publishes that the peer is offline.
-- KEYS: 1 record, 2 offline queue, 3 ends of sessions
-- ARGV: 1 session, 2 node, 3 fence ('0': any)
-- Returns how many keys were deleted.
local old = redis.call('HMGET', KEYS[1], 'session', 'node', 'v', 'state')
if old[1] == ARGV[1] and old[2] == ARGV[2] and (ARGV[3] == '0' or old[3] == ARGV[3]) then
  if old[4] == 'detached' then redis.call('ZREM', KEYS[3], name_of(old[1], old[3])) end
  publish_presence(old[3], 'offline')
  return redis.call('DEL', KEYS[1], KEYS[2])
end
return 0
