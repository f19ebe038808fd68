-- Ends a node's lease, unless a later run of the node has taken it.
-- KEYS: 1 lease, 2 runs, 3 ended runs
-- ARGV: 1 incarnation, 2 how many seconds members of this run stay in rooms ('0': there are none)
-- Returns how many leases were deleted.
redis.call('HDEL', KEYS[2], ARGV[1])
if ARGV[2] ~= '0' then
  local now = redis.call('TIME')[1]
  redis.call('ZADD', KEYS[3], string.format('%.0f', now + ARGV[2]), ARGV[1])
end
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
