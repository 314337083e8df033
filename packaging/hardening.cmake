# Compiler and linker options for every target that make bugs harder to exploit, in every build; a distribution may add
# its own. They also make builds reproducible: the same bytes, whatever the directory.

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
  # Names and lines, for a backtrace. No variables: these processes leave no core in which a debugger could show them, and
  # describing variables takes 40 % of the compilers' time.
  add_compile_options(-g1)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
    # The linker must be told, because it drops the mark if one object lacks it: Debian 12's crt1.o, which is never an
    # indirect branch target. All of our objects have it (branch_targets.cmake), and the package tests check every
    # function.
    add_compile_options(-fcf-protection=full)
    add_link_options(LINKER:-z,ibt,-z,shstk)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
    add_compile_options(-mbranch-protection=standard)
  endif()
endif()
