-- Claims a peer for a session, with a fence higher than any before. Publishes that the peer is online.
-- KEYS: 1 record, 2 offline queue, 3 ends of sessions
-- ARGV: 1 session, 2 node, 3 incarnation, 4 hash of the secret, 5 '1' for a resume, 6 resume window in ms
-- Returns {'lost'} if the session cannot be resumed, the fence if there was no record, or
-- {fence, old node, old session, old state, fields of the old record, stored messages}.
local old = redis.call('HMGET', KEYS[1], 'v', 'node', 'session', 'state', 'secret', 'b', 'q', 't')
if ARGV[5] == '1' and (old[3] ~= ARGV[1] or old[5] ~= ARGV[4]) then return {'lost'} end
local time = redis.call('TIME')
local v = string.format('%.0f', math.max((tonumber(old[1]) or 0) + 1, time[1] * 1000000 + time[2]))
-- Most peers are new, and most sessions have nothing but the six fields of their claim, and two when they are detached.
local record, stored, bytes = nil, {}, nil
if old[4] then
  local fields = redis.call('HLEN', KEYS[1])
  if old[3] and fields == 6 then
    record = {}
  elseif old[7] and fields == 8 then
    record = {'q', old[7], 't', old[8]}
  else
    record = redis.call('HGETALL', KEYS[1])
  end
end
if old[6] then stored = live_messages(ARGV[6] * 2) end
if #stored > 0 then bytes = redis.call('HGET', KEYS[1], 'b') end
-- Also without a record: after a write that needs no memory, a script may write into a full Redis.
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'v', v, 'session', ARGV[1], 'node', ARGV[2], 'inc', ARGV[3], 'state', 'attached', 'secret', ARGV[4])
-- As in presence.lua, without its functions: a cluster that restarts makes all its claims at once.
redis.call('PUBLISH', (string.gsub(KEYS[1], '}:s:', '}:w:', 1)), v .. ' online')
if not record then return v end
if ARGV[5] == '1' then
  -- The rooms of the session stay noted until it has entered them here, or left them.
  for i = 1, #record, 2 do
    if string.sub(record[i], 1, 2) == 'r:' then redis.call('HSET', KEYS[1], record[i], record[i + 1]) end
  end
end
if bytes then redis.call('HSET', KEYS[1], 'b', bytes) end
if old[4] == 'detached' then
  redis.call('ZREM', KEYS[3], old[3] .. ' ' .. old[1] .. ' ' .. string.match(KEYS[1], '}:s:(.*)$'))
end
return {v, old[2] or '', old[3] or '', old[4], record, stored}
