-- Reads events of partitions. Only the holder of a partition's lease reads: what another node read would stay pending
-- for it, and nobody would deliver it.
-- KEYS: of each partition its lease and itself
-- ARGV: 1 reader, 2 consumer group, 3 consumer, then for each partition where to go on among the pending events
--       ('': read new ones) and the most events
-- Returns for each partition {'lost'}, or {where to go on, {entry, id, key, time, body} of each event}.
local pages = {}
for i = 1, #KEYS / 2 do
  local lease, partition, from, room = KEYS[2 * i - 1], KEYS[2 * i], ARGV[2 * i + 2], ARGV[2 * i + 3]
  if redis.call('GET', lease) ~= ARGV[1] then
    pages[i] = {'lost'}
  else
    local found = {}
    if from ~= '' then
      local claimed = redis.pcall('XAUTOCLAIM', partition, ARGV[2], ARGV[3], 0, from, 'COUNT', room)
      -- Without a group there is nothing yet; the next renewal of the lease makes one. The second call raises any other error.
      if claimed.err and not string.find(claimed.err, 'NOGROUP') then
        redis.call('XAUTOCLAIM', partition, ARGV[2], ARGV[3], 0, from, 'COUNT', room)
      elseif not claimed.err then
        from, found = claimed[1], claimed[2]
        if from == '0-0' then from = '' end
      end
    else
      local read = redis.pcall('XREADGROUP', 'GROUP', ARGV[2], ARGV[3], 'COUNT', room, 'STREAMS', partition, '>')
      if read and read.err and not string.find(read.err, 'NOGROUP') then
        redis.call('XREADGROUP', 'GROUP', ARGV[2], ARGV[3], 'COUNT', room, 'STREAMS', partition, '>')
      elseif read and not read.err then
        found = read[1][2]
      end
    end
    local page = {from}
    for _, event in ipairs(found) do
      -- Redis 6.2 also returns pending events that are gone.
      if event and event[2] then
        local fields = event[2]
        page[#page + 1] = {event[1], fields[2], fields[4], fields[6], fields[8]}
      end
    end
    pages[i] = page
  end
end
return pages
