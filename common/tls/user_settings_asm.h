/* wolfSSL's .S files include this name, and expect the preprocessor lines of user_settings.h; ours has nothing else. */
#include "user_settings.h"
