-- Writes a claim again after Redis may have lost it, unless a higher fence stands.
-- KEYS: 1 record
-- ARGV: 1 session, 2 node, 3 incarnation, 4 secret, 5 fence
-- Returns the higher fence, or '0' if the claim stands.
local v = redis.call('HGET', KEYS[1], 'v')
if v and tonumber(v) > tonumber(ARGV[5]) then return v end
redis.call('PERSIST', KEYS[1])
redis.call('HSET', KEYS[1], 'v', ARGV[5], 'session', ARGV[1], 'node', ARGV[2], 'inc', ARGV[3], 'state', 'attached', 'secret', redis.sha1hex(ARGV[4]))
return '0'
