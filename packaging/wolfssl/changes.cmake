# Changes to the pinned wolfSSL's own C sources, for what RFCs 8446 and 5246 demand and no setting, callback or renamed
# function (as for handshake_tap.c) can give. Each is one call into record_rules.c, which says why.
#
# change_sources(LIST FOLDER) writes changed copies of internal.c, tls.c and tls13.c into FOLDER, and puts them into LIST.

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

# Messages cut inside their header (record_rules.h), in both readers of handshake messages.
function(gather_headers source)
  replace_once(${source} "    if (ssl->arrays->pendingMsgSz == 0) {"
               "    ret = mqtt_relay_gather_handshake_header(ssl, input, inOutIdx, totalSz);
    if (ret != 1)
        return ret;
    ret = 0;
    inputLength = totalSz - *inOutIdx;
    if (ssl->arrays->pendingMsgSz == 0) {")
  set(${source} "${${source}}" PARENT_SCOPE)
endfunction()

function(change_internal source)
  gather_headers(${source})
  # RFC 5246 7.2.2: a signature that can't be verified is decrypt_error, in TLS 1.2's ServerKeyExchange too.
  replace_once(${source} "    case WC_NO_ERR_TRACE(SIG_VERIFY_E):" "    case WC_NO_ERR_TRACE(SIG_VERIFY_E):
    case WC_NO_ERR_TRACE(VERIFY_SIGN_ERROR):")
  # The same in CertificateVerify, where wolfSSL says bad_certificate of a certificate that nothing is wrong with; and a
  # scheme that was not asked for, or is not for the key, is illegal_parameter.
  replace_once(${source} "            SendAlert(ssl, alert_fatal, decrypt_error);
        else if (ret != 0)
            SendAlert(ssl, alert_fatal, bad_certificate);"
               "            SendAlert(ssl, alert_fatal, decrypt_error);
        else if (ret != 0)
            SendAlert(ssl, alert_fatal, mqtt_relay_alert_for(ret));")
  # What wolfSSL's own table does not know is not all handshake_failure.
  replace_once(${source} "    case WC_NO_ERR_TRACE(VERSION_ERROR):
    default:
        why = handshake_failure;" "    case WC_NO_ERR_TRACE(VERSION_ERROR):
    default:
        why = mqtt_relay_alert_for(error);")
  replace_once(${source} "if (*size > (ssl->max_fragment + MAX_MSG_EXTRA +" "if (*size > (mqtt_relay_largest_received(ssl) + MAX_MSG_EXTRA +")
  replace_once(${source} "                            ssl->peerRsaKeyPresent = 1;"
               "                            ssl->peerRsaKeyPresent = args->dCert->keyOID == RSAPSSk ? MQTT_RELAY_PSS_KEY : 1;")
  # RFC 8446 4.2.3: rsa_pss_pss_* are for TLS 1.2 too, and wolfSSL offers them, yet takes no CertificateVerify by them. Each
  # kind of RSA key has its own schemes. Releases before 5.8 take any.
  if("${${source}}" MATCHES "InServerCertReqHashSigAlgo")
    replace_once(${source} "                        if (ssl->options.peerSigAlgo != rsa_sa_algo
                        #ifdef WC_RSA_PSS
                            && ssl->options.peerSigAlgo != rsa_pss_sa_algo
                        #endif
                            ) {"
                 "                        if (!mqtt_relay_signature_fits_rsa_key(ssl)) {")
    replace_once(${source} "                        if (ssl->options.peerSigAlgo == rsa_pss_sa_algo) {
                        #ifdef HAVE_SELFTEST"
                 "                        if (ssl->options.peerSigAlgo != rsa_sa_algo) {
                        #ifdef HAVE_SELFTEST")
  endif()
  # RFC 8446 5.1: legacy_record_version MUST be ignored for all purposes.
  replace_once(${source} "#else
    if (rh->pvMajor != ssl->version.major ||
        (rh->pvMinor != ssl->version.minor &&"
               "#else
    if (IsAtLeastTLSv1_3(ssl->version) && IsEncryptionOn(ssl, 0))
        ;
    else if (rh->pvMajor != ssl->version.major ||
        (rh->pvMinor != ssl->version.minor &&")
  # RFC 8446 5: a change_cipher_spec before the peer's Finished is dropped, whether or not it is the first.
  replace_once(${source} "                        else {
                            SendAlert(ssl, alert_fatal, illegal_parameter);"
               "                        else if (!mqtt_relay_drops_change_cipher_spec(ssl)) {
                            SendAlert(ssl, alert_fatal, unexpected_message);")
  # RFC 5246 7.1: it is a single byte. Another one is not a record too large for its kind.
  replace_once(${source} "                        WOLFSSL_MSG(\"Malicious or corrupted ChangeCipher msg\");"
               "                        return UNKNOWN_RECORD_TYPE;")
  replace_once(${source} "                        WOLFSSL_MSG(\"ChangeCipher msg wrong value\");"
               "                        return UNKNOWN_RECORD_TYPE;")
  # A peer's key share is tried before anything is answered: a bad one is refused in place of a ServerHello. wolfSSL does it
  # behind the ServerHello, where the alert is encrypted by a peer that has no key yet.
  replace_once(${source} "            ret = TLSX_KeyShare_Setup(ssl, cs.clientKSE);"
               "            ret = TLSX_KeyShare_Setup(ssl, cs.clientKSE);
            if (ret == 0)
                ret = TLSX_KeyShare_DeriveSecret(ssl);")
  set(${source} "${${source}}" PARENT_SCOPE)
endfunction()

function(change_tls source)
  # RFC 8446 4.1.1: no group in common is handshake_failure; to wolfSSL it is one with a key share's bad data.
  replace_once(${source} "            /* No group selected or specified by the server */
            WOLFSSL_ERROR_VERBOSE(BAD_KEY_SHARE_DATA);
            return BAD_KEY_SHARE_DATA;" "            return MATCH_SUITE_ERROR;")
  set(${source} "${${source}}" PARENT_SCOPE)
endfunction()

function(change_tls13 source)
  gather_headers(${source})
  replace_once(${source} "            args->idx += OPAQUE16_LEN;

            /* Signature length. */"
               "            if (!mqtt_relay_scheme_fits_key(ssl, input + args->idx)) {
                ERROR_OUT(INVALID_PARAMETER, exit_dcv);
            }
            args->idx += OPAQUE16_LEN;

            /* Signature length. */")
  replace_once(${source} "                ssl->error = TLSX_KeyShare_DeriveSecret(ssl);" "                ssl->error = 0; /* done: MatchSuite */")
  # RFC 7507 3: a client that says it has fallen back is refused by a server that has the better version.
  replace_once(${source} "    if (wantDowngrade) {
#ifndef" "    if (wantDowngrade) {
        if (mqtt_relay_has_fallen_back(input + args->begin, helloSz)) {
            SendAlert(ssl, alert_fatal, inappropriate_fallback);
            ERROR_OUT(UNSUPPORTED_PROTO_VERSION, exit_dch);
        }
#ifndef")
  set(${source} "${${source}}" PARENT_SCOPE)
endfunction()

function(change_sources list folder)
  set(sources ${${list}})
  foreach(name internal tls tls13)
    list(FILTER sources EXCLUDE REGEX "/src/${name}\\.c$")
    set(file ${${list}})
    list(FILTER file INCLUDE REGEX "/src/${name}\\.c$")
    file(READ ${file} text)
    cmake_language(CALL change_${name} text)
    replace_once(text "#include <wolfssl/error-ssl.h>" "#include <wolfssl/error-ssl.h>\n#include \"record_rules.h\"")
    file(WRITE ${folder}/${name}.c.new "${text}")
    file(COPY_FILE ${folder}/${name}.c.new ${folder}/${name}.c ONLY_IF_DIFFERENT)
    list(APPEND sources ${folder}/${name}.c)
  endforeach()
  set(${list} ${sources} PARENT_SCOPE)
endfunction()
