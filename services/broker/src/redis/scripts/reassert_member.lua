-- Writes a member of this run again after Redis may have lost it, unless it was entered elsewhere or removed since.
-- KEYS: 1 room, 2 its channel, 3 the tenant's rooms, 4 rooms of this run
-- ARGV: 1 tenant/room, 2 room, 3 peer, 4 incarnation, 5 session, 6 'o' or 'd', 7 info, 8 version at which it was
--       entered, 9 version of the room's creation, 10 '1' if a sweep may have removed it
-- Returns {'gone'}, or {version at which it is entered, version of the creation}.
local old = redis.call('HMGET', KEYS[1], ARGV[3], '#version', '#created')
local entry, created = table.concat({ARGV[6], ARGV[4], ARGV[5]}, ' '), old[3]
if old[1] then
  local run_session, version = string.match(old[1], '^%a (%S+ %S+) (%d+)')
  local is_ours = run_session == ARGV[4] .. ' ' .. ARGV[5]
  if not is_ours and tonumber(version) > tonumber(ARGV[8]) then return {'gone'} end
  if is_ours and string.sub(old[1], 1, #entry) == entry then
    redis.call('ZADD', KEYS[3], 0, ARGV[2])
    redis.call('SADD', KEYS[4], ARGV[1])
    return {version, created}
  end
elseif created == ARGV[9] and ARGV[10] ~= '1' then
  -- The room is the one that this run knows, so somebody has removed the member.
  return {'gone'}
end
local version
if old[2] then
  version = string.format('%.0f', old[2] + 1)
else
  local time = redis.call('TIME')
  version = string.format('%.0f', math.max(ARGV[8] + 1, time[1] * 1000000 + time[2]))
  created = version
  redis.call('HSET', KEYS[1], '#created', created)
end
redis.call('HSET', KEYS[1], '#version', version, ARGV[3], table.concat({entry, version, ARGV[7]}, ' '))
redis.call('ZADD', KEYS[3], 0, ARGV[2])
redis.call('SADD', KEYS[4], ARGV[1])
redis.call('PUBLISH', KEYS[2],
  table.concat({'+', old[2] or '0', version, ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]}, ' '))
return {version, created}
