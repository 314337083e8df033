# Intel CET for wolfSSL's assembly: every function begins with endbr64, which makes it a valid target of indirect branches,
# and the object file is marked. The compiler does both for C (-fcf-protection). wolfSSL 5.9.2 does neither in its own .S
# files, and one unmarked object turns the protection off for the whole program.

# mark_branch_targets(LIST FOLDER) writes marked copies of the files in LIST into FOLDER and replaces LIST with the copies.
# A function's entry is the label after its .globl, and after .type and .align where the file has them. Labels of tables and
# labels inside functions are not entries.
function(mark_branch_targets list folder)
  set(marked)
  foreach(file IN LISTS ${list})
    get_filename_component(name ${file} NAME)
    file(READ ${file} text)
    string(REGEX REPLACE "(\n\\.type[ \t]+[A-Za-z0-9_]+,@function\n\\.align[ \t]+[0-9]+\n[A-Za-z0-9_]+:\n)" "\\1endbr64\n"
           text "${text}")
    string(REGEX REPLACE "(\n\\.globl[ \t]+[A-Za-z0-9_]+\n(\\.align[^\n]*\n)?[A-Za-z0-9]+[A-Za-z0-9_]*:\n)" "\\1endbr64\n" text "${text}")
    file(WRITE ${folder}/${name}.new "#include <cet.h>\n${text}")
    file(COPY_FILE ${folder}/${name}.new ${folder}/${name} ONLY_IF_DIFFERENT)
    list(APPEND marked ${folder}/${name})
  endforeach()
  set(${list} ${marked} PARENT_SCOPE)
endfunction()
