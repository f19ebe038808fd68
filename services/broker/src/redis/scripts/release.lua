-- Gives a claim up; nothing stays.
-- KEYS: 1 record, 2 offline queue
-- ARGV: 1 session, 2 node, 3 fence ('0': any)
-- Returns how many keys were deleted.
local old = redis.call('HMGET', KEYS[1], 'session', 'node', 'v')
if old[1] == ARGV[1] and old[2] == ARGV[2] and (ARGV[3] == '0' or old[3] == ARGV[3]) then
  return redis.call('DEL', KEYS[1], KEYS[2])
end
return 0
