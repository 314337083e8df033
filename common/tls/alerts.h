/* RFC 8446 section 6.2, RFC 5246 section 7.2.2: the fatal alert for a wolfSSL error. This is the only table: wolfSSL's
 * own (TranslateErrorToAlert, SendFatalAlertOnly) cover handshake messages only, and not all of those. */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

int mqtt_relay_alert_for(int wolf_error);

#ifdef __cplusplus
}
#endif
