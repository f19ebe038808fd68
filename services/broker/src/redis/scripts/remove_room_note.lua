-- Removes the note that a session is in a room.
-- KEYS: 1 record
-- ARGV: 1 session, 2 room
-- Returns 1 if there was such a note, else 0.
local field = 'r:' .. ARGV[2]
local noted = redis.call('HGET', KEYS[1], field)
if not noted or string.match(noted, '^%S+') ~= ARGV[1] then return 0 end
return redis.call('HDEL', KEYS[1], field)
