#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a program under the Vulkan validation layers: validated.py PROGRAM [ARGUMENT...]

Core checks and checks of synchronisation (vk_layer_settings.txt). Fails when the program does, or when the
layers have any message; 77 when they are not installed. With --must-notice before PROGRAM it is the other
way round: what is wrong on purpose must give messages.
"""
import glob
import os
import subprocess
import sys

folders = ("/usr/share", "/usr/local/share", "/etc", os.path.expanduser("~/.local/share"))
if not any(glob.glob(folder + "/vulkan/explicit_layer.d/*khronos_validation*") for folder in folders):
    print("SKIPPED: the validation layers are not installed (Debian: vulkan-validationlayers)")
    sys.exit(77)

arguments = sys.argv[1:]
must_notice = arguments[0] == "--must-notice"
if must_notice:
    arguments = arguments[1:]
environment = dict(os.environ, VK_INSTANCE_LAYERS="VK_LAYER_KHRONOS_validation",
                   VK_LAYER_SETTINGS_PATH=os.path.join(os.path.dirname(os.path.abspath(__file__)), "vk_layer_settings.txt"))
run = subprocess.run(arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
messages = [line for line in run.stdout.splitlines() if "Validation " in line or "VUID" in line or "SYNC-HAZARD" in line]
if run.returncode == 77: # no device
    print(run.stdout)
    sys.exit(77)
if must_notice:
    print("the layers had %d messages about what is wrong on purpose" % len(messages))
    sys.exit(0 if messages else 1)
print("\n".join(run.stdout.splitlines()[-5:]))
for message in messages[:10]:
    print("FAILED validation:", message[:600])
print("%d messages of the validation layers" % len(messages))
sys.exit(run.returncode if run.returncode else 1 if messages else 0)
