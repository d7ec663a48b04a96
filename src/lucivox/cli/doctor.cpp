#include <lucivox/cli/command.h>
#include <lucivox/program/description.h>
#include <lucivox/program/device.h>

namespace lucivox {

void add_doctor(CLI::App& app, Context& context) {
  add_command(app, context, "doctor", "what this build and machine have", Flags{.json = true}, [&context] {
    const Json json = machine_report();
    print(context, json, as_text(json));
    return 0;
  });
}

}  // namespace lucivox
