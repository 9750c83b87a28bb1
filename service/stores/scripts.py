"""The Lua that runs inside Redis 6.2 or newer: one atomic, idempotent write per person."""

RECORD = r"""
-- KEYS: session, events (one hash tag). ARGV: owner check (8 bytes), limits, events.
-- Returns one character per event: 1 stored, 0 duplicate. Layouts: docs/redis.md.
local VERSION, HEADER, EVENTS_HEADER = 1, 24, 13
local PURCHASE, CLICK, VIEW, RETURN, IMPRESSION = 0, 2, 3, 4, 15
local check = ARGV[1]
local now, ttl, dedupe, keep_actions, keep_purchased, keep_seen, keep_ids =
  struct.unpack('<I4I4I4I2I2I2I2', ARGV[2])

local function load(key)
  local value = redis.pcall('GET', key)
  return type(value) == 'string' and value or ''
end

local function put(column, width, i, cell)      -- behind the i-th cell
  return column:sub(1, i * width) .. cell .. column:sub(i * width + 1)
end

local function cut(column, width, i)            -- without the i-th cell
  return column:sub(1, (i - 1) * width) .. column:sub(i * width + 1)
end

local function find(column, width, cell)        -- number of a cell, nil when absent
  local at = column:find(cell, 1, true)
  while at and (at - 1) % width ~= 0 do at = column:find(cell, at + 1, true) end
  return at and (at - 1) / width + 1
end

-- The session -------------------------------------------------------------------------------
local count, moments, ids, interests, interest_count = 0, '', '', '', 0
local purchased, seen = {hashes = '', times = ''}, {hashes = '', times = ''}

local function load_session(raw)
  if #raw < HEADER then return end
  local version, owner, c, a, p, s, i, b = struct.unpack('<Bc8I4I2I2I2BI4', raw)
  local at = HEADER + 1
  if version ~= VERSION or owner ~= check then return end
  if #raw < HEADER + 6 * a + 12 * (p + s) + b then return end
  local function take(n) at = at + n; return raw:sub(at - n, at - 1) end
  local m = take(6 * a)
  local bought = {hashes = take(8 * p), times = take(4 * p)}
  local shown = {hashes = take(8 * s), times = take(4 * s)}
  local text = take(b)
  local _, lines = text:gsub('\n', '\n')
  if lines ~= a or (b > 0 and text:sub(-1) ~= '\n') then return end
  count, moments, ids, interests, interest_count = c, m, text, raw:sub(at), i
  purchased, seen = bought, shown
end

local function ms_of(i) return math.floor(struct.unpack('<I6', moments, i * 6 - 5) / 16) end

local function line_end(i)                      -- last byte of the i-th id
  local at = 0
  for _ = 1, i do at = ids:find('\n', at + 1, true) end
  return at
end

local function each_of(item, visit)             -- visit(i) for each action of an item, until true
  if not ('\n' .. ids):find('\n' .. item .. '\n', 1, true) then return false end
  local i = 0
  for id in ids:gmatch('([^\n]*)\n') do
    i = i + 1
    if id == item and visit(i) then return true end
  end
  return false
end

local function add_action(moment, ms, item)
  local n = #moments / 6
  local i = n
  while i > 0 and ms_of(i) > ms do i = i - 1 end
  if i == 0 and n >= keep_actions then return end
  local at = i == n and #ids or line_end(i)
  ids = ids:sub(1, at) .. item .. '\n' .. ids:sub(at + 1)
  moments = put(moments, 6, i, moment)
  while #moments / 6 > keep_actions do
    moments = moments:sub(7)
    ids = ids:sub(ids:find('\n', 1, true) + 1)
  end
end

local function unmark(set, i)
  set.hashes, set.times = cut(set.hashes, 8, i), cut(set.times, 4, i)
end

local function time_of(set, i) return struct.unpack('<I4', set.times, i * 4 - 3) end

local function mark(set, hash, at, keep)
  local old = find(set.hashes, 8, hash)
  if old then
    if time_of(set, old) >= at then return end
    unmark(set, old)
  end
  local i = #set.times / 4
  while i > 0 and time_of(set, i) > at do i = i - 1 end
  set.hashes, set.times = put(set.hashes, 8, i, hash), put(set.times, 4, i, struct.pack('<I4', at))
  while #set.times / 4 > keep do unmark(set, 1) end
end

local function mark_purchased(item, hash, ms)
  local is_returned = each_of(item, function(i)
    return struct.unpack('<I6', moments, i * 6 - 5) % 16 == RETURN and ms_of(i) >= ms
  end)
  if not is_returned then mark(purchased, hash, math.floor(ms / 1000), keep_purchased) end
end

local function mark_returned(hash, ms)
  local i = find(purchased.hashes, 8, hash)
  if i and time_of(purchased, i) <= ms / 1000 then unmark(purchased, i) end
end

-- The ids of events: two generations, so that each lives for at least `dedupe` seconds ------------
local started, forgotten, previous, current = now, 0, '', ''

local function load_ids(raw)
  if #raw < EVENTS_HEADER or (#raw - EVENTS_HEADER) % 6 ~= 0 then return end
  local version, s, p, f = struct.unpack('<BI4I2I6', raw)
  if version ~= VERSION or #raw < EVENTS_HEADER + 6 * p then return end
  started, forgotten = s, f
  previous = raw:sub(EVENTS_HEADER + 1, EVENTS_HEADER + 6 * p)
  current = raw:sub(EVENTS_HEADER + 6 * p + 1)
end

local function turn() previous, current, started = current, '', now end

local newest = 0
local function remember(id, ms)                 -- false when it is known
  if find(current, 6, id) or find(previous, 6, id) then return false end
  if #current / 6 >= keep_ids / 2 then          -- too many for a day: what is dropped is noted
    if previous ~= '' then forgotten = math.max(forgotten, newest) end
    turn()
  end
  current, newest = current .. id, math.max(newest, ms)
  return true
end

-- The work ------------------------------------------------------------------------------------
load_session(load(KEYS[1]))
load_ids(load(KEYS[2]))
if now - started >= dedupe then turn() end
if #moments > 0 then newest = ms_of(#moments / 6) end

local outcomes, pos, blob, is_changed = {}, 1, ARGV[3], false
while pos <= #blob do
  local event, moment, hash, length = struct.unpack('<c6c6c8I2', blob, pos)
  local item = blob:sub(pos + 22, pos + 21 + length)
  local number = struct.unpack('<I6', moment)
  local code, ms = number % 16, math.floor(number / 16)
  pos = pos + 22 + length
  local is_new = remember(event, ms)
  is_changed = is_changed or is_new
  if is_new then
    if code ~= IMPRESSION then
      -- At or before `forgotten` an event may be a repetition whose id is no longer known.
      local is_doubtful = ms <= forgotten
      local is_known = is_doubtful and each_of(item, function(i)
        return moments:sub(i * 6 - 5, i * 6) == moment
      end)
      if not is_doubtful then count = count + 1 end
      if not is_known then add_action(moment, ms, item) end
    end
    if code == PURCHASE then mark_purchased(item, hash, ms)
    elseif code == RETURN then mark_returned(hash, ms)
    elseif code == IMPRESSION or code == VIEW or code == CLICK then
      mark(seen, hash, math.floor(ms / 1000), keep_seen)
    end
  end
  outcomes[#outcomes + 1] = is_new and '1' or '0'
end

if not is_changed then return table.concat(outcomes) end
local n = #moments / 6
count = math.min(math.max(count, n), 4294967295)
local head = struct.pack('<Bc8I4I2I2I2BI4', VERSION, check, count,
  n, #purchased.times / 4, #seen.times / 4, interest_count, #ids)
redis.call('SET', KEYS[1], head .. moments .. purchased.hashes .. purchased.times
  .. seen.hashes .. seen.times .. ids .. interests, 'EX', ttl)
redis.call('SET', KEYS[2], struct.pack('<BI4I2I6', VERSION, started, #previous / 6, forgotten)
  .. previous .. current, 'EX', dedupe)
return table.concat(outcomes)
"""
