-- Stores a message in a peer's offline queue: of a session that can be resumed, or for a while without any session.
-- KEYS: 1 record, 2 offline queue, 3 ends of sessions
-- ARGV: 1 sender, 2 id, 3 id before it, 4 force ('0': only if detached, '1': also if attached, '2': also if
--       attached to the dead incarnation), 5 envelope, 6 most messages, 7 most bytes, 8 resume window in ms,
--       9 dead incarnation, 10 sender's peer, 11 most messages and 12 most bytes of one sender's peer,
--       13 hold in ms, 14 '1' if its tenant's budget was charged for the hold, 15 '1' unless it was stored before
-- Returns {'offline'}, {'attached', node, incarnation}, {'queued', time to live in ms, node, '1' if the receiver is to be
-- woken up}, {'delivered'}, {'late'}, {'gap'}, {'full'}, or {'hold'} if the budget is to be charged first.
-- Ids have 20 digits and are compared as text: a Lua number loses the lowest digits of a large id.
local share, hold, now = 'c:' .. ARGV[10], tonumber(ARGV[13]), now_ms()
local r = redis.call('HMGET', KEYS[1], 'state', 'node', 'inc', 'b', 'm:' .. ARGV[1], share, 'session', 'v', 'w')
local state = r[1] or 'held'
if state == 'attached' and (ARGV[4] == '0' or (ARGV[4] == '2' and r[3] ~= ARGV[9])) then return {'attached', r[2], r[3]} end
-- How long the session can be resumed; the record may last longer, for messages that are held.
local window = 0
if state == 'attached' then
  window = tonumber(ARGV[8])
elseif state == 'detached' then
  local ends = redis.call('ZSCORE', KEYS[3], name_of(r[7], r[8]))
  window = math.max(ends and ends - now or redis.call('PTTL', KEYS[1]), 0)
end
if window == 0 and hold == 0 then return {'offline'} end
local ttl = math.max(window, hold)

local function queued()
  local wake = '0'
  if ARGV[15] == '1' and now - (r[9] or 0) >= 1000 then
    redis.call('HSET', KEYS[1], 'w', now)
    wake = '1'
  end
  return {'queued', ttl, r[2] or '', wake}
end

local none = string.rep('0', 20)
local id, done, list, last = ARGV[2], none, '', none
if r[5] then
  done, list = string.match(r[5], '^(%d+);(.*)$')
  for from, to in string.gmatch(list, '(%d+)-(%d+)') do
    if id >= from and id <= to then
      if id <= done then return {'delivered'} end
      return queued()
    end
    last = to
  end
end
if id < last then return {'late'} end
if ARGV[3] > last then return {'gap'} end
local bytes = tonumber(r[4] or '0')
local count = redis.call('LLEN', KEYS[2])
if count >= tonumber(ARGV[6]) or (count > 0 and bytes + #ARGV[5] > tonumber(ARGV[7])) then return {'full'} end
local messages, stored = string.match(r[6] or '0 0', '^(%d+) (%d+)$')
if tonumber(messages) >= tonumber(ARGV[11]) then return {'full'} end
if tonumber(messages) > 0 and stored + #ARGV[5] > tonumber(ARGV[12]) then return {'full'} end
if hold > window and ARGV[14] ~= '1' then return {'hold'} end
redis.call('RPUSH', KEYS[2], string.format('%.0f ', now + ttl) .. ARGV[5])
if list ~= '' then list = list .. ',' end
redis.call('HSET', KEYS[1], share, string.format('%.0f %.0f', messages + 1, stored + #ARGV[5]))
redis.call('HSET', KEYS[1], 'b', bytes + #ARGV[5], 'm:' .. ARGV[1], done .. ';' .. list .. id .. '-' .. id)
if not r[1] then redis.call('HSET', KEYS[1], 'state', 'held') end
if state == 'attached' and ARGV[4] == '2' then
  redis.call('HSET', KEYS[1], 'state', 'detached')
  publish_detached(r[7], r[8], window)
  state = 'detached'
end
-- The record and the queue last as long as their last message.
if state ~= 'attached' then
  local left = redis.call('PTTL', KEYS[1])
  redis.call('PEXPIRE', KEYS[1], math.max(left, ttl))
end
local left = redis.call('PTTL', KEYS[2])
redis.call('PEXPIRE', KEYS[2], math.max(left, ttl))
return queued()
