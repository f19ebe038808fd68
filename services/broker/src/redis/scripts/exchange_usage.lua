-- Publishes what tenants have on a node and reads that of the other nodes. A field holds its end by Redis' own clock and
-- the text; fields past their end are removed here.
-- KEYS: 1 tenant usage
-- ARGV: 1 node, 2 text ('': nothing), 3 time to live in ms, 4 most nodes
-- Returns the texts of the other nodes.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local all, others, known = redis.call('HGETALL', KEYS[1]), {}, 0
for i = 1, #all, 2 do
  local ends, text = string.match(all[i + 1], '^(%d+) (.*)$')
  if all[i] == ARGV[1] or not ends or tonumber(ends) <= now then
    redis.call('HDEL', KEYS[1], all[i])
  else
    known = known + 1
    if known < tonumber(ARGV[4]) then others[known] = text end
  end
end
if ARGV[2] ~= '' and known < tonumber(ARGV[4]) then
  redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f %s', now + ARGV[3], ARGV[2]))
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return others
