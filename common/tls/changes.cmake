# Changes to the pinned wolfSSL's own C sources, where RFC 8446 or RFC 5246 demands what no setting, callback or renamed
# function (as for handshake_tap.c) can provide. The reason for each change is here, or in record_rules.h if the change
# calls that.
#
# change_sources(LIST FOLDER) writes changed copies of internal.c, tls.c and tls13.c into FOLDER and puts them into LIST in
# place of the originals.

# OLD must occur exactly once: read another release's source before you change it.
function(replace_once variable old new)
  string(FIND "${${variable}}" "${old}" first)
  string(FIND "${${variable}}" "${old}" last REVERSE)
  if(first EQUAL -1 OR NOT first EQUAL last)
    message(FATAL_ERROR "changes.cmake was written for another wolfSSL. This text must occur exactly once in its source: ${old}")
  endif()
  string(REPLACE "${old}" "${new}" text "${${variable}}")
  set(${variable} "${text}" PARENT_SCOPE)
endfunction()

# Handshake messages that are cut inside their header (record_rules.h). TLS 1.2 and TLS 1.3 each have a reader.
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
  # RFC 5246 7.2.2: the alert for a wrong signature is decrypt_error, in TLS 1.2's ServerKeyExchange too.
  replace_once(${source} "    case WC_NO_ERR_TRACE(SIG_VERIFY_E):" "    case WC_NO_ERR_TRACE(SIG_VERIFY_E):
    case WC_NO_ERR_TRACE(VERIFY_SIGN_ERROR):")
  # The same in CertificateVerify: wolfSSL sends bad_certificate, although nothing is wrong with the certificate. The alert
  # for a scheme that was not offered or does not fit the key is illegal_parameter.
  replace_once(${source} "            SendAlert(ssl, alert_fatal, decrypt_error);
        else if (ret != 0)
            SendAlert(ssl, alert_fatal, bad_certificate);"
               "            SendAlert(ssl, alert_fatal, decrypt_error);
        else if (ret != 0)
            SendAlert(ssl, alert_fatal, mqtt_relay_alert_for(ret));")
  # wolfSSL's own table answers every error that it does not list with handshake_failure.
  replace_once(${source} "    case WC_NO_ERR_TRACE(VERSION_ERROR):
    default:
        why = handshake_failure;" "    case WC_NO_ERR_TRACE(VERSION_ERROR):
    default:
        why = mqtt_relay_alert_for(error);")
  replace_once(${source} "if (*size > (ssl->max_fragment + MAX_MSG_EXTRA +" "if (*size > (mqtt_relay_largest_received(ssl) +")
  replace_once(${source} "                            ssl->peerRsaKeyPresent = 1;"
               "                            ssl->peerRsaKeyPresent = args->dCert->keyOID == RSAPSSk ? MQTT_RELAY_PSS_KEY : 1;")
  # RFC 8446 4.2.3: rsa_pss_pss_* may be used in TLS 1.2 too. wolfSSL offers them, but then refuses a CertificateVerify that
  # uses one. Each kind of RSA key has its own schemes. Releases before 5.8 accept any scheme.
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
  # RFC 5246 7.1: a ChangeCipherSpec is a single byte, 1. The error for any other must not be that of a record that is too
  # large.
  replace_once(${source} "                        WOLFSSL_MSG(\"Malicious or corrupted ChangeCipher msg\");"
               "                        return UNKNOWN_RECORD_TYPE;")
  replace_once(${source} "                        WOLFSSL_MSG(\"ChangeCipher msg wrong value\");"
               "                        return UNKNOWN_RECORD_TYPE;")
  # RFC 5246 E.1: a client that offers a higher version than ours is served with ours, even if it offers 4.1.
  replace_once(${source} "        if (pv.major == SSLv3_MAJOR && pv.minor >= TLSv1_3_MINOR)
            pv.minor = TLSv1_2_MINOR;"
               "        if (pv.major > SSLv3_MAJOR || pv.minor >= TLSv1_3_MINOR) {
            pv.major = SSLv3_MAJOR;
            pv.minor = TLSv1_2_MINOR;
        }")
  # RFC 5246 7.4.1.2, as in the TLS 1.3 ClientHello below.
  replace_once(${source} "        if (ssl->clSuites->suiteSz > WOLFSSL_MAX_SUITE_SZ) {
            ret = BUFFER_ERROR;
            goto out;
        }

        XMEMCPY(ssl->clSuites->suites, input + i, ssl->clSuites->suiteSz);"
               "        i += mqtt_relay_keep_suites(ssl, input + i);")
  replace_once(${source} "        i += ssl->clSuites->suiteSz;
        ssl->clSuites->hashSigAlgoSz = 0;" "        ssl->clSuites->hashSigAlgoSz = 0;")
  # A distinct error, so that the log can name it (error_words.cpp).
  replace_once(${source} "                SendAlert(ssl, alert_fatal, inappropriate_fallback);
                ret = VERSION_ERROR;" "                SendAlert(ssl, alert_fatal, inappropriate_fallback);
                ret = UNSUPPORTED_PROTO_VERSION;")
  # RFC 5246 7.2.2 and 7.4.1.1: a request for renegotiation is declined by a warning, and the session goes on.
  replace_once(${source} "    /* sanity check msg received */
    if ( (ret = SanityCheckMsgReceived(ssl, type)) != 0) {"
               "    if (mqtt_relay_declines_renegotiation(ssl, type)) {
        *inOutIdx = expectedIdx;
        return SendAlert(ssl, alert_warning, no_renegotiation);
    }
    /* sanity check msg received */
    if ( (ret = SanityCheckMsgReceived(ssl, type)) != 0) {")
  # A close_notify does not count towards the limit on alerts.
  replace_once(${source} "    if (++ssl->options.alertCount >= WOLFSSL_ALERT_COUNT_MAX) {"
               "    if (code != close_notify && ++ssl->options.alertCount >= WOLFSSL_ALERT_COUNT_MAX) {")
  # A client that can't use the ServerHello has no keys, so its alert comes in plaintext (RFC 8446 6).
  replace_once(${source} "    if (IsAtLeastTLSv1_3(ssl->version) && IsEncryptionOn(ssl, 0) &&
                                                      !ssl->keys.decryptedCur)
    {" "    if (IsAtLeastTLSv1_3(ssl->version) && IsEncryptionOn(ssl, 0) &&
                 !ssl->keys.decryptedCur && !mqtt_relay_may_alert_in_plaintext(ssl))
    {")
  # The error for an empty record of application data before there are keys must not be that of a truncated message.
  replace_once(${source} "                    >= ssl->buffers.inputBuffer.length) {
                return BUFFER_ERROR;"
               "                    >= ssl->buffers.inputBuffer.length) {
                if (ssl->curSize == 0 && !IsEncryptionOn(ssl, 0))
                    return OUT_OF_ORDER_E;
                return BUFFER_ERROR;")
  # RFC 8446 4.2.10: early data for another server's ticket is skipped. It is encrypted with a key that is not ours, or
  # comes after a HelloRetryRequest, when there are no keys yet.
  replace_once(${source} "                    WOLFSSL_MSG(\"Decrypt failed\");"
               "                    if (mqtt_relay_skips_early_data(ssl)) {
                        ssl->options.processReply = doProcessInit;
                        return 0;
                    }")
  replace_once(${source} "        WOLFSSL_MSG(\"Received App data before a handshake completed\");"
               "        if (mqtt_relay_skips_early_data(ssl))
            return 0;")
  # A client's key share is tried before the ServerHello is sent, so a bad one is refused by a plaintext alert. wolfSSL
  # tries it after the ServerHello and encrypts the alert, which the client has no key to read.
  replace_once(${source} "            ret = TLSX_KeyShare_Setup(ssl, cs.clientKSE);"
               "            ret = TLSX_KeyShare_Setup(ssl, cs.clientKSE);
            if (ret == 0)
                ret = TLSX_KeyShare_DeriveSecret(ssl);")
  set(${source} "${${source}}" PARENT_SCOPE)
endfunction()

function(change_tls source)
  # RFC 8446 4.1.1: without a common group the alert is handshake_failure. wolfSSL asks for a group that the client lacks,
  # or reports a bad key share.
  replace_once(${source} "        byte i;
        /* Fallback to user selected group */" "        byte i;
        return MATCH_SUITE_ERROR;")
  # A server's own groups count in TLS 1.2 too (record_rules.h).
  replace_once(${source} "         curve && !key;
         curve = curve->next) {
" "         curve && !key;
         curve = curve->next) {
        if (!mqtt_relay_allows_group(ssl, curve->name))
            continue;
")
  # RFC 5746 3.6: the first ClientHello's renegotiated_connection is empty, or the handshake fails.
  replace_once(${source} "                    /* already in error state */
                    WOLFSSL_MSG(\"SCR client verify data present\");"
               "                    ret = SECURE_RENEGOTIATION_E;")
  # The extension that announces early data, which is then skipped.
  replace_once(${source} "            default:
                WOLFSSL_MSG(\"Unknown TLS extension type\");"
               "            default:
                if (type == TLSXT_EARLY_DATA && msgType == client_hello)
                    mqtt_relay_expect_early_data(ssl);")
  # connection_id belongs to DTLS (RFC 9146), so it is ignored here, whatever it contains.
  replace_once(${source} "            return WOLFSSL_CID_MIN_SIZE_CLIENT;" "            return 0;")
  # RFC 8446 4.2.3: unknown signature schemes are ignored, too.
  replace_once(${source} "    if (suites->hashSigAlgoSz > WOLFSSL_MAX_SIGALGO) {
        WOLFSSL_MSG(\"TLSX SigAlgo list exceeds max, truncating\");
        suites->hashSigAlgoSz = WOLFSSL_MAX_SIGALGO;
    }
    XMEMCPY(suites->hashSigAlgo, input, suites->hashSigAlgoSz);

    return TLSX_SignatureAlgorithms_MapPss(ssl, input, suites->hashSigAlgoSz);"
               "    mqtt_relay_keep_schemes(suites, input);
    return TLSX_SignatureAlgorithms_MapPss(ssl, input, len);")
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
  # RFC 8446 4.1.2: unknown cipher suites MUST be ignored, however many there are.
  replace_once(${source} "    if (ssl->clSuites->suiteSz > WOLFSSL_MAX_SUITE_SZ)
        ERROR_OUT(BUFFER_ERROR, exit_dch);
    XMEMCPY(ssl->clSuites->suites, input + args->idx, ssl->clSuites->suiteSz);
    args->idx += ssl->clSuites->suiteSz;" "    args->idx += mqtt_relay_keep_suites(ssl, input + args->idx);")
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
