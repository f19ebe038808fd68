-- Releases all partitions of a node at its end.
-- KEYS: 1 readers, then the lease of each partition
-- ARGV: 1 reader
-- Returns how many were released.
redis.call('ZREM', KEYS[1], ARGV[1])
local released = 0
for i = 2, #KEYS do
  if redis.call('GET', KEYS[i]) == ARGV[1] then
    released = released + redis.call('DEL', KEYS[i])
  end
end
return released
