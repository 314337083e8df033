# Reads the standard library's headers once instead of in every file: they are most of what the compiler reads.
# Each file still includes what it uses: tests/lint compiles each without this.
#
# precompile_standard_headers(FOLDER...): does so for every library that these folders define.
function(precompile_standard_headers)
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    return()  # builds the fuzz targets; only GCC finds a .gch by -include
  endif()
  # Not <iostream>: each file that includes it gets an initialiser.
  file(WRITE ${CMAKE_BINARY_DIR}/precompiled/empty.cpp "")
  add_library(precompiled OBJECT ${CMAKE_BINARY_DIR}/precompiled/empty.cpp)
  target_link_libraries(precompiled PRIVATE mqtt_relay_options)
  target_precompile_headers(precompiled PRIVATE
    <algorithm> <array> <atomic> <charconv> <chrono> <cstdint> <cstring> <deque> <functional> <map> <memory> <mutex> <optional>
    <set> <span> <stdexcept> <string> <string_view> <system_error> <thread> <unordered_map> <utility> <variant> <vector>)
  set(header ${CMAKE_BINARY_DIR}/CMakeFiles/precompiled.dir/cmake_pch.hxx)  # the compiler finds the .gch beside it
  # GCC 12 wrongly finds overruns in std::string's own operator+ (gcc.gnu.org/PR105329 and similar), and reports them once
  # that header is precompiled.
  set(false_alarms "-Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread -Wno-restrict")
  foreach(folder ${ARGN})
    libraries_below(libraries ${PROJECT_SOURCE_DIR}/${folder})
    foreach(library ${libraries})
      # Not REUSE_FROM: CMake 3.25 refuses it for a target that also has C sources.
      target_compile_options(${library} PRIVATE
        "$<$<COMPILE_LANGUAGE:CXX>:SHELL:-Winvalid-pch ${false_alarms} -include ${header}>")
      get_target_property(sources ${library} SOURCES)
      get_target_property(source_folder ${library} SOURCE_DIR)
      list(FILTER sources INCLUDE REGEX "\\.cpp$")
      list(TRANSFORM sources PREPEND ${source_folder}/ REGEX "^[^/]")  # a relative name would mean this folder's
      set_property(SOURCE ${sources} TARGET_DIRECTORY ${library} APPEND PROPERTY OBJECT_DEPENDS ${header}.gch)
    endforeach()
  endforeach()
endfunction()

# The static libraries that a folder and those below it define. A program's own few files are compiled with -fPIE and can't
# use a header precompiled with -fPIC.
function(libraries_below result folder)
  get_property(targets DIRECTORY ${folder} PROPERTY BUILDSYSTEM_TARGETS)
  get_property(subfolders DIRECTORY ${folder} PROPERTY SUBDIRECTORIES)
  set(found)
  foreach(target ${targets})
    get_target_property(type ${target} TYPE)
    if(type STREQUAL STATIC_LIBRARY)
      list(APPEND found ${target})
    endif()
  endforeach()
  foreach(subfolder ${subfolders})
    libraries_below(deeper ${subfolder})
    list(APPEND found ${deeper})
  endforeach()
  set(${result} ${found} PARENT_SCOPE)
endfunction()
