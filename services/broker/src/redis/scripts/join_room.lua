-- Enters a member into a room, or moves it to this run of its node. Costs the same in every room, but for the roster.
-- KEYS: 1 room, 2 its channel, 3 the tenant's rooms, 4 rooms of this run
-- ARGV: 1 tenant/room, 2 room, 3 peer, 4 incarnation, 5 session, 6 'o' or 'd', 7 info, 8 most members,
--       9 '1' if Redis has memory for a new member, 10 '1' if the room may be created, 11 '1' to return the roster
-- Returns {'full'}, {'short'} or {'quota'}, or
-- {version before, version, version of the creation, 1 if the peer was no member, fields of the room if asked for}.
local old = redis.call('HMGET', KEYS[1], ARGV[3], '#version', '#created')
local previous, version, created = old[2] or '0', old[2], old[3]
local entry = table.concat({ARGV[6], ARGV[4], ARGV[5]}, ' ')
local state_run_session, info
if old[1] then state_run_session, info = string.match(old[1], '^(%a %S+ %S+) %d+ (.*)$') end
if not old[1] then
  if ARGV[9] ~= '1' then return {'short'} end
  if old[2] then
    if redis.call('HLEN', KEYS[1]) - 2 >= tonumber(ARGV[8]) then return {'full'} end
  elseif ARGV[10] ~= '1' then
    return {'quota'}
  end
end
if state_run_session ~= entry or info ~= ARGV[7] then
  if old[2] then
    version = string.format('%.0f', old[2] + 1)
  else
    local time = redis.call('TIME')
    version = string.format('%.0f', time[1] * 1000000 + time[2])
    created = version
    redis.call('ZADD', KEYS[3], 0, ARGV[2])
    redis.call('HSET', KEYS[1], '#created', created)
  end
  redis.call('HSET', KEYS[1], '#version', version, ARGV[3], table.concat({entry, version, ARGV[7]}, ' '))
  redis.call('SADD', KEYS[4], ARGV[1])
  redis.call('PUBLISH', KEYS[2],
    table.concat({'+', previous, version, ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]}, ' '))
end
return {previous, version, created, old[1] and 0 or 1, ARGV[11] == '1' and redis.call('HGETALL', KEYS[1]) or {}}
