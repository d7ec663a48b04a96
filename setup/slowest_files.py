"""The ten files that took longest in the last build, from Ninja's log.

slowest_files.py build/PRESET
"""

import pathlib
import sys

SLOWEST = 10


def main():
    folder = pathlib.Path(sys.argv[1])
    seconds = {}  # the last time each was made
    for line in (folder / ".ninja_log").read_text().splitlines():
        fields = line.split("\t")
        if len(fields) == 5 and fields[3].endswith((".o", ".gch")):
            seconds[fields[3]] = (int(fields[1]) - int(fields[0])) / 1000
    print("the slowest files to compile:")
    for name, took in sorted(seconds.items(), key=lambda one: -one[1])[:SLOWEST]:
        print(f"{took:8.1f} s  {name.replace('CMakeFiles/', '').removesuffix('.o')}")


if __name__ == "__main__":
    main()
