-- Notes in the record that the client of this session has just answered a probe.
-- KEYS: 1 record
-- ARGV: 1 session, 2 node, 3 incarnation
-- Returns how often that was noted, or 0 if another session owns the peer.
local old = redis.call('HMGET', KEYS[1], 'session', 'node', 'inc')
if old[1] ~= ARGV[1] or old[2] ~= ARGV[2] or old[3] ~= ARGV[3] then return 0 end
return redis.call('HINCRBY', KEYS[1], 'touches', 1)
