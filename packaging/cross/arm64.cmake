# Compiles for arm64 on an amd64 Debian: packaging/prerequisites cross-arm64, then
#   cmake --preset release -B build/arm64 --toolchain packaging/cross/arm64.cmake
# Programs that the build itself runs, such as a list of tests, run under qemu-user.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static)
# Multiarch: this machine's own libraries are not found, arm64's are.
set(PKG_CONFIG_EXECUTABLE aarch64-linux-gnu-pkg-config)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
