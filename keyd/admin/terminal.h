// Brings the names of common/operator/terminal.h into keyd's commands.
#pragma once

#include "common/operator/terminal.h"

namespace keyd::admin {

using common::Colour, common::Progress, common::Screen;
using common::counted, common::grouped, common::padded, common::visible, common::visible_json, common::width_of;

}  // namespace keyd::admin
