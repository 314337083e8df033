// The connector's sandbox: the rights that it gives up before it serves its first worker.
#pragma once

#include <string>

#include "common/syscall_filter.h"
#include "relayd/handover/connector_plan.h"

namespace relayd::connector {

// First step, before any thread starts: from here on this process reads only the files that looking up names needs
// and those in remote.certs_dir, writes none, and connects by TCP only to the plan's ports and to name servers. If the
// kernel can't restrict ports, the log warns. Returns "", or what else the kernel lacks, for the next step.
std::string give_up_files_and_ports(const ConnectorPlan& plan);

// Second step, when all threads run: from here on they have only the system calls that connecting needs. Logs which
// protections are in force; common::accept_sandbox() judges what is missing.
void give_up_system_calls(const ConnectorPlan& plan, const std::string& lacking_files);

// Also those that remote.bind and remote.certs_dir need, if the plan has them.
common::CallList calls(const ConnectorPlan& plan = {});

}  // namespace relayd::connector
