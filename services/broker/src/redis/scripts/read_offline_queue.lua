-- Reads the offline queue of a peer that this session owns.
-- KEYS: 1 record, 2 offline queue
-- ARGV: 1 session, 2 node, 3 incarnation
-- Returns the stored messages, oldest first; none if another session owns the peer.
local old = redis.call('HMGET', KEYS[1], 'session', 'node', 'inc')
if old[1] ~= ARGV[1] or old[2] ~= ARGV[2] or old[3] ~= ARGV[3] then return {} end
return live_messages()
