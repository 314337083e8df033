# The software bill of materials, SPDX 2.3 (https://spdx.github.io/spdx-spec/v2.3/): what the programs contain, with
# wolfSSL and cpp-httplib and the hashes of the files that were compiled. Its date is SOURCE_DATE_EPOCH, or the time of
# the build.
get_property(WOLFSSL_VERSION GLOBAL PROPERTY mqtt_relay_wolfssl_version)
get_property(WOLFSSL_SHA256 GLOBAL PROPERTY mqtt_relay_wolfssl_sha256)
get_property(HTTPLIB_VERSION GLOBAL PROPERTY mqtt_relay_httplib_version)
get_property(HTTPLIB_SHA256 GLOBAL PROPERTY mqtt_relay_httplib_sha256)
string(TIMESTAMP sbom_created "%Y-%m-%dT%H:%M:%SZ" UTC)
if(WOLFSSL_VERSION STREQUAL 5.9.2)
  set(sbom_wolfssl_location https://github.com/wolfSSL/wolfssl/archive/refs/tags/v5.9.2-stable.tar.gz)
else()
  set(sbom_wolfssl_location NOASSERTION)  # fetch's last resort, repacked from a distribution's source
endif()
# Debian 12's libutf8proc.pc gives an older version than the header.
file(STRINGS ${UTF8PROC_INCLUDE_DIR}/utf8proc.h utf8proc_numbers REGEX "define UTF8PROC_VERSION_[A-Z]+ +[0-9]+")
string(REGEX REPLACE "#define UTF8PROC_VERSION_[A-Z]+ +([0-9]+)[^;]*" "\\1" utf8proc_numbers "${utf8proc_numbers}")
list(JOIN utf8proc_numbers "." UTF8PROC_VERSION)
if(UTF8PROC_LIBRARY MATCHES "\\.a$")
  set(sbom_utf8proc_link STATIC_LINK)
else()
  set(sbom_utf8proc_link DYNAMIC_LINK)
endif()
# Of wslay no version is given: Debian's wslayver.h names another one than its package.
configure_file(sbom.spdx.json.in mqtt-relay.spdx.json @ONLY)
