# Changes to the pinned wolfSSL's own C sources, for what RFCs 8446 and 5246 demand and no setting, callback or renamed
# function (as for handshake_tap.c) can give. Each is one call into record_rules.c, which says why.
#
# change_sources(LIST FOLDER) writes changed copies of internal.c and tls13.c into FOLDER, and puts them into LIST.

# OLD must stand in it exactly once: another release's source is read before it is changed.
function(replace_once variable old new)
  string(FIND "${${variable}}" "${old}" first)
  string(FIND "${${variable}}" "${old}" last REVERSE)
  if(first EQUAL -1 OR NOT first EQUAL last)
    message(FATAL_ERROR "wolfSSL's source is not the one that changes.cmake was written for. Not there, or not once: ${old}")
  endif()
  string(REPLACE "${old}" "${new}" text "${${variable}}")
  set(${variable} "${text}" PARENT_SCOPE)
endfunction()

function(change_sources list folder)
  set(sources ${${list}})
  foreach(name internal tls13)
    list(FILTER sources EXCLUDE REGEX "/src/${name}\\.c$")
    set(file ${${list}})
    list(FILTER file INCLUDE REGEX "/src/${name}\\.c$")
    file(READ ${file} text)
    replace_once(text "    if (ssl->arrays->pendingMsgSz == 0) {"
                 "    ret = mqtt_relay_gather_handshake_header(ssl, input, inOutIdx, totalSz);
    if (ret != 1)
        return ret;
    ret = 0;
    inputLength = totalSz - *inOutIdx;
    if (ssl->arrays->pendingMsgSz == 0) {")
    if(name STREQUAL internal)
      # RFC 5246 7.2.2: a signature that can't be verified is decrypt_error, in TLS 1.2's ServerKeyExchange too.
      replace_once(text "    case WC_NO_ERR_TRACE(SIG_VERIFY_E):" "    case WC_NO_ERR_TRACE(SIG_VERIFY_E):
    case WC_NO_ERR_TRACE(VERIFY_SIGN_ERROR):")
      replace_once(text "if (*size > (ssl->max_fragment + MAX_MSG_EXTRA +" "if (*size > (mqtt_relay_largest_received(ssl) + MAX_MSG_EXTRA +")
      replace_once(text "                            ssl->peerRsaKeyPresent = 1;"
                   "                            ssl->peerRsaKeyPresent = args->dCert->keyOID == RSAPSSk ? MQTT_RELAY_PSS_KEY : 1;")
    else()
      replace_once(text "            args->idx += OPAQUE16_LEN;

            /* Signature length. */"
                   "            if (!mqtt_relay_scheme_fits_key(ssl, input + args->idx)) {
                ERROR_OUT(INVALID_PARAMETER, exit_dcv);
            }
            args->idx += OPAQUE16_LEN;

            /* Signature length. */")
    endif()
    replace_once(text "#include <wolfssl/error-ssl.h>" "#include <wolfssl/error-ssl.h>\n#include \"record_rules.h\"")
    file(WRITE ${folder}/${name}.c.new "${text}")
    file(COPY_FILE ${folder}/${name}.c.new ${folder}/${name}.c ONLY_IF_DIFFERENT)
    list(APPEND sources ${folder}/${name}.c)
  endforeach()
  set(${list} ${sources} PARENT_SCOPE)
endfunction()
