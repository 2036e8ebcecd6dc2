// The peer in C++: simdjson parses each line of a file and its nine members are written to columns.
// Texts are only measured, not interned. Prints one line of JSON; CPU time of one thread, best round.
#include <simdjson.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace {

struct Columns {
  std::vector<int64_t> ts, rpm, seq;
  std::vector<std::string_view> device, site;
  std::vector<double> temperature, pressure, vibration;
  std::vector<bool> ok;

  void clear() {
    ts.clear(), rpm.clear(), seq.clear(), device.clear(), site.clear();
    temperature.clear(), pressure.clear(), vibration.clear(), ok.clear();
  }
};

double thread_seconds() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return double(time.tv_sec) + double(time.tv_nsec) * 1e-9;
}

double number(simdjson::dom::element element) {
  return element.is_int64() ? double(element.get_int64().value()) : element.get_double().value();
}

void decode(simdjson::dom::parser &parser, const char *begin, size_t length, Columns &columns) {
  // The file is padded at its end, so that no line needs to be copied.
  simdjson::dom::object row = parser.parse(begin, length, false).get_object().value();
  columns.ts.push_back(row["ts"].get_int64().value());
  columns.device.push_back(row["device"].get_string().value());
  columns.site.push_back(row["site"].get_string().value());
  columns.temperature.push_back(number(row["temperature"].value()));
  columns.pressure.push_back(number(row["pressure"].value()));
  columns.vibration.push_back(number(row["vibration"].value()));
  columns.rpm.push_back(row["rpm"].get_int64().value());
  columns.ok.push_back(row["ok"].get_bool().value());
  columns.seq.push_back(row["seq"].get_int64().value());
}

}  // namespace

int main(int count, char **arguments) {
  if (count != 3) {
    std::fprintf(stderr, "usage: %s FILE ROUNDS\n", arguments[0]);
    return 64;
  }
  std::ifstream file(arguments[1], std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::vector<size_t> starts{0};
  for (size_t index = 0; index < text.size(); index++)
    if (text[index] == '\n') starts.push_back(index + 1);
  size_t records = starts.size() - 1;
  if (records == 0) {
    std::fprintf(stderr, "%s: no records\n", arguments[1]);
    return 1;
  }
  text.reserve(text.size() + simdjson::SIMDJSON_PADDING);
  simdjson::dom::parser parser;
  Columns columns;
  double best = 1e300, sum = 0;
  for (int round = 0; round <= std::atoi(arguments[2]); round++) {
    double start = thread_seconds();
    sum = 0;
    for (size_t first = 0; first < records; first += 1024) {
      columns.clear();
      size_t end = first + 1024 < records ? first + 1024 : records;
      for (size_t record = first; record < end; record++)
        decode(parser, text.data() + starts[record], starts[record + 1] - starts[record] - 1, columns);
      for (double value : columns.temperature) sum += value;
    }
    double seconds = thread_seconds() - start;
    if (round > 0 && seconds < best) best = seconds;
  }
  std::printf("{\"peer\":\"simdjson %s DOM, C++\",\"records_per_second\":%.0f,\"checksum\":%.4f}\n",
              SIMDJSON_STRINGIFY(SIMDJSON_VERSION), double(records) / best, sum);
}
