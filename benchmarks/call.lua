-- wrk's script: one prepared request, as it is in the file that it is given, and what came of it as a line of JSON.
local prepared

function init(arguments)
  local file = assert(io.open(arguments[1], "rb"))
  prepared = file:read("*a")
  file:close()
end

function request()
  return prepared
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  local found = '{"requests": %d, "failed": %d, "duration_us": %d, "p50_us": %d, "p99_us": %d}\n'
  io.write(string.format(found, summary.requests, failed, summary.duration, latency:percentile(50), latency:percentile(99)))
end
