# How every target is compiled and linked so that a bug is harder to make use of, whoever builds: a distribution's own
# flags come on top. And so that a build is the same, byte for byte, in whatever folder it was made.

if(CMAKE_BUILD_TYPE MATCHES "Rel" AND NOT MQTT_RELAY_SANITIZE)
  set(MQTT_RELAY_HARDENED ON)
endif()

include(CheckPIESupported)
check_pie_supported()
add_link_options(LINKER:-z,relro,-z,now,-z,noexecstack)
add_compile_options(-fstack-protector-strong -fno-omit-frame-pointer)

if(MQTT_RELAY_HARDENED)
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-clash-protection
                      $<$<COMPILE_LANGUAGE:CXX>:-D_GLIBCXX_ASSERTIONS>
                      -ffile-prefix-map=${PROJECT_SOURCE_DIR}=. -ffile-prefix-map=${PROJECT_BINARY_DIR}=build)
  # Names and lines, for a backtrace. These processes leave no core whose variables a debugger could show, and to describe
  # variables costs 40 % of the compilers' time.
  add_compile_options(-g1)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
    # The linker is told, as it takes the mark away if one object has none: Debian 12's crt1.o, which nothing branches
    # to indirectly. Ours all have it (branch_targets.cmake), and the package tests look at each function.
    add_compile_options(-fcf-protection=full)
    add_link_options(LINKER:-z,ibt,-z,shstk)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
    add_compile_options(-mbranch-protection=standard)
  endif()
endif()
