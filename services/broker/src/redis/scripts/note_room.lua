-- Notes in a session's record that the session is in a room, so that a resume can enter the room again.
-- KEYS: 1 record
-- ARGV: 1 session, 2 room, 3 info
-- Returns 1 if this session owns the peer, else 0.
if redis.call('HGET', KEYS[1], 'session') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'r:' .. ARGV[2], ARGV[1] .. ' ' .. ARGV[3])
return 1
