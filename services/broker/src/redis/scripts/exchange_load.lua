-- Publishes a node's number of connections and reads those of the other nodes. A field holds the number and
-- its end by Redis' own clock; fields past their end are removed here.
-- KEYS: 1 cluster load
-- ARGV: 1 node, 2 its connections ('': it is not counted), 3 time to live in ms, 4 most nodes
-- Returns the connections of the other nodes.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local all, others, known = redis.call('HGETALL', KEYS[1]), {}, 0
for i = 1, #all, 2 do
  local count, ends = string.match(all[i + 1], '^(%d+) (%d+)$')
  if all[i] == ARGV[1] or not ends or tonumber(ends) <= now then
    redis.call('HDEL', KEYS[1], all[i])
  else
    known = known + 1
    if known < tonumber(ARGV[4]) then others[known] = tonumber(count) end
  end
end
if ARGV[2] ~= '' and known < tonumber(ARGV[4]) then
  redis.call('HSET', KEYS[1], ARGV[1], string.format('%s %.0f', ARGV[2], now + ARGV[3]))
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return others
