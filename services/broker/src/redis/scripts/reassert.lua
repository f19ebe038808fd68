-- Writes a claim again after Redis may have lost it, unless a higher fence stands. Publishes that the peer is online if
-- the record said something else.
-- KEYS: 1 record
-- ARGV: 1 session, 2 node, 3 incarnation, 4 hash of the secret, 5 fence
-- Returns {higher fence}, or {'0', old node, old session, old state} if the claim stands; without a record the old
-- ones are ''.
local old = redis.call('HMGET', KEYS[1], 'v', 'node', 'session', 'state')
if old[1] and tonumber(old[1]) > tonumber(ARGV[5]) then return {old[1]} end
redis.call('PERSIST', KEYS[1])
redis.call('HSET', KEYS[1], 'v', ARGV[5], 'session', ARGV[1], 'node', ARGV[2], 'inc', ARGV[3], 'state', 'attached', 'secret', ARGV[4])
if old[4] ~= 'attached' or old[1] ~= ARGV[5] then publish_presence(ARGV[5], 'online') end
return {'0', old[2] or '', old[3] or '', old[4] or ''}
