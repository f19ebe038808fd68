-- Ends a node's lease, unless a later run of the node has taken it.
-- KEYS: 1 lease, 2 runs
-- ARGV: 1 incarnation
-- Returns how many leases were deleted.
redis.call('HDEL', KEYS[2], ARGV[1])
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
