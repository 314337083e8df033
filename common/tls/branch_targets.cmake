# Intel CET for wolfSSL's assembly: every function begins with endbr64, so that an indirect branch may go there, and the
# object says so. The compiler does that for C (-fcf-protection); wolfSSL 5.9.2 does not for its own .S files, and one such
# object takes the protection from the whole program.

# mark_branch_targets(LIST FOLDER) writes marked copies of the files in LIST into FOLDER, and puts them into LIST.
# A function's entry is its label after .globl, and after .type and .align where a file has them. Labels inside
# functions, and tables, are not entries.
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
