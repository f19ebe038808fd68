-- Removes a member from a room; the last one takes the room with it.
-- KEYS: 1 room, 2 its channel, 3 the tenant's rooms
-- ARGV: 1 room, 2 peer, 3 reason, 4 session ('': any), 5 incarnation ('': any), 6 state ('': any)
-- Returns {} if there is no such member, else {how many are left, its session}.
local old = redis.call('HMGET', KEYS[1], ARGV[2], '#version')
if not old[1] then return {} end
local state, run, session = string.match(old[1], '^(%a) (%S+) (%S+)')
if ARGV[4] ~= '' and session ~= ARGV[4] then return {} end
if ARGV[5] ~= '' and run ~= ARGV[5] then return {} end
if ARGV[6] ~= '' and state ~= ARGV[6] then return {} end
local version = string.format('%.0f', old[2] + 1)
-- A write that needs no memory comes first: after it, the others are written into a full Redis, too.
redis.call('HDEL', KEYS[1], ARGV[2])
local count = redis.call('HLEN', KEYS[1]) - 2
if count == 0 then
  redis.call('DEL', KEYS[1])
  redis.call('ZREM', KEYS[3], ARGV[1])
else
  redis.call('HSET', KEYS[1], '#version', version)
end
redis.call('PUBLISH', KEYS[2], table.concat({'-', old[2], version, ARGV[2], session, ARGV[3]}, ' '))
return {count, session}
