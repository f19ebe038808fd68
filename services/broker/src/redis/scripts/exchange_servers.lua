-- Agrees on the number of Redis servers in use. It rises once every living node can use more, and falls to what an operator
-- wrote into the field `most`. Each change has a notice, so that all nodes change at the same time. A field of a node holds what it
-- can use and its end by Redis' own clock.
-- KEYS: 1 servers
-- ARGV: 1 node, 2 servers that it can use, 3 servers in use if nobody has said so, 4 time to live in ms, 5 notice in ms,
--       6 shortest notice in ms that is still withdrawn, 7 shortest time in ms between two changes
-- Returns the servers in use, the next number or 0, and the ms until then.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local usable, in_use = tonumber(ARGV[2]), tonumber(ARGV[3])
local least, most, changed, next_count, at = usable, nil, 0, nil, nil
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local field, value = all[i], all[i + 1]
  if field == 'in_use' then
    in_use = tonumber(value)
  elseif field == 'most' then
    most = tonumber(value)
  elseif field == 'changed' then
    changed = tonumber(value)
  elseif field == 'next' then
    next_count, at = string.match(value, '^(%d+) (%d+)$')
    next_count, at = tonumber(next_count), tonumber(at)
  elseif field ~= 'n:' .. ARGV[1] then
    local count, ends = string.match(value, '^(%d+) (%d+)$')
    if not ends or tonumber(ends) <= now then
      redis.call('HDEL', KEYS[1], field)
    else
      least = math.min(least, tonumber(count))
    end
  end
end
local wanted = math.max(in_use, least)
if most and most >= 1 then wanted = math.min(wanted, most) end
if next_count and at <= now then
  in_use, next_count = next_count, nil
  redis.call('HDEL', KEYS[1], 'next')
  redis.call('HSET', KEYS[1], 'changed', string.format('%.0f', now))
elseif next_count then
  local is_off = (next_count > in_use and wanted < next_count) or (next_count < in_use and wanted > next_count)
  if is_off and at - now > tonumber(ARGV[6]) then
    next_count = nil
    redis.call('HDEL', KEYS[1], 'next')
  end
elseif wanted ~= in_use and (now < changed or now - changed >= tonumber(ARGV[7])) then
  next_count, at = wanted, now + ARGV[5]
  redis.call('HSET', KEYS[1], 'next', string.format('%.0f %.0f', next_count, at))
end
redis.call('HSET', KEYS[1], 'in_use', in_use)
redis.call('HSET', KEYS[1], 'n:' .. ARGV[1], string.format('%.0f %.0f', usable, now + ARGV[4]))
if not next_count then return {in_use, 0, 0} end
return {in_use, next_count, at - now}
