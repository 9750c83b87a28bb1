"""The Lua that changes the last part of one session: what somebody declares, and who is linked."""

EDIT = r"""
-- KEYS: session, events (one hash tag). ARGV: owner check (8 bytes), time to live, what, texts.
-- Touches one id only, so that it works in a cluster. Layout: docs/redis.md. What to do:
--   interests name …        replaces the declared interests
--   join id n               lists an anonymous id, newest last; the oldest beyond n give way
--   claim account stale id …  names an account, unless another than `stale` is named already
--   hint account id …       renews the other ids, while the account is the one named
--   leave id                lists it no longer
--   release account         names nobody, while the account is the one named
--   forget account          deletes all of an id that names the account; '' deletes it anyway
-- Replies with the ids of an account after `join`; with the account in the way after `claim`; with
-- `1` when something was there to be undone or deleted; else with nothing.
local VERSION, HEADER, COUNT_OF_INTERESTS = 2, 26, 22
local check, ttl, what = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local texts = {unpack(ARGV, 4)}
local front = struct.pack('<Bc8I4I2I2I2I2BI4', VERSION, check, 0, 0, 0, 0, 0, 0, 0)
local interests, links = {}, {}

local function load(raw)
  if type(raw) ~= 'string' or #raw < HEADER then return end
  local version, owner, _, a, p, r, s, n, b = struct.unpack('<Bc8I4I2I2I2I2BI4', raw)
  local stop = HEADER + 6 * a + 12 * (p + r + s) + b
  local rest = raw:sub(stop + 1)
  if version ~= VERSION or owner ~= check or #raw < stop then return end
  if #rest > 0 and rest:sub(-1) ~= '\n' then return end
  front = raw:sub(1, stop)
  for line in rest:gmatch('([^\n]*)\n') do
    local list = #interests < n and interests or links
    list[#list + 1] = line
  end
end

local function lines(list) return #list > 0 and table.concat(list, '\n') .. '\n' or '' end

local function place_of(id)
  for i, link in ipairs(links) do
    if link == id then return i end
  end
end

local function save(is_renewed)
  local blank = struct.pack('<Bc8I4I2I2I2I2BI4', VERSION, check, 0, 0, 0, 0, 0, 0, 0)
  local bare = front:sub(1, COUNT_OF_INTERESTS - 1) .. '\0' .. front:sub(COUNT_OF_INTERESTS + 1)
  if bare == blank and #interests + #links == 0 then redis.call('DEL', KEYS[1]) return end
  local value = front:sub(1, COUNT_OF_INTERESTS - 1) .. string.char(#interests)
    .. front:sub(COUNT_OF_INTERESTS + 1) .. lines(interests) .. lines(links)
  if is_renewed or redis.call('TTL', KEYS[1]) < 0 then
    redis.call('SET', KEYS[1], value, 'EX', ttl)
  else
    redis.call('SET', KEYS[1], value, 'KEEPTTL')
  end
end

load(redis.pcall('GET', KEYS[1]))
if what == 'interests' then
  interests = texts
  save(true)
elseif what == 'join' then
  if not place_of(texts[1]) then links[#links + 1] = texts[1] end
  while #links > tonumber(texts[2]) do table.remove(links, 1) end
  save(true)
  return lines(links)
elseif what == 'claim' then
  local account, stale = texts[1], texts[2]
  if links[1] and links[1] ~= account and links[1] ~= stale then return links[1] end
  links = {account, unpack(texts, 3)}
  save(true)
elseif what == 'hint' then
  if links[1] == texts[1] and lines(links) ~= lines(texts) then
    links = texts
    save(false)
  end
elseif what == 'leave' then
  local i = place_of(texts[1])
  if i then
    table.remove(links, i)
    save(false)
    return '1'
  end
elseif what == 'release' then
  if links[1] == texts[1] then
    links = {}
    save(false)
    return '1'
  end
elseif what == 'forget' then
  if texts[1] == '' or links[1] == texts[1] then
    return redis.call('DEL', KEYS[1], KEYS[2]) > 0 and '1' or ''
  end
end
return ''
"""
