// The scripts of the shells. Each asks for the candidates of the last word: a line each, "WORD<tab>HELP";
// a last line ":files" or ":directories" says that those fit as well.
#include "cli/completion.hpp"

#include <string>

namespace mydocker::cli {
namespace {

constexpr std::string_view kBash = R"script(# bash completion for mydocker; made by `mydocker completion bash`
_mydocker() {
    local cur words cword line word
    if declare -F _get_comp_words_by_ref >/dev/null; then
        _get_comp_words_by_ref -n =: cur words cword
    else
        words=("${COMP_WORDS[@]}")
        cword=$COMP_CWORD
        cur=${COMP_WORDS[COMP_CWORD]}
    fi
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
            :files) compopt -o filenames 2>/dev/null; mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$cur") ;;
            :directories) compopt -o filenames 2>/dev/null; mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -d -- "$cur") ;;
            *) word=${line%%$'\t'*}; COMPREPLY+=("$word") ;;
        esac
    done < <("${words[0]}" __complete -- "${words[@]:1:cword}" 2>/dev/null)
    if declare -F __ltrim_colon_completions >/dev/null; then
        __ltrim_colon_completions "$cur"
    fi
}
complete -F _mydocker mydocker
)script";

constexpr std::string_view kZsh = R"script(#compdef mydocker
# zsh completion for mydocker; made by `mydocker completion zsh`
_mydocker() {
    local line word help
    local -a candidates
    local files=0 directories=0
    while IFS= read -r line; do
        case $line in
            :files) files=1 ;;
            :directories) directories=1 ;;
            *) word=${line%%$'\t'*}; help=${line#*$'\t'}; candidates+=("${word//:/\\:}:$help") ;;
        esac
    done < <("${words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)
    (( ${#candidates} )) && _describe -V mydocker candidates
    (( files )) && _files
    (( directories )) && _files -/
    return 0
}
if [ "$funcstack[1]" = "_mydocker" ]; then
    _mydocker "$@"
else
    compdef _mydocker mydocker
fi
)script";

constexpr std::string_view kFish = R"script(# fish completion for mydocker; made by `mydocker completion fish`
function __mydocker_complete
    set -l words (commandline -opc) (commandline -ct)
    for line in ($words[1] __complete -- $words[2..-1] 2>/dev/null)
        switch $line
            case :files
                __fish_complete_path (commandline -ct)
            case :directories
                __fish_complete_directories (commandline -ct)
            case '*'
                echo $line
        end
    end
end
complete -c mydocker -f -a '(__mydocker_complete)'
)script";

} // namespace

Result<std::string_view> completion_script(std::string_view shell) {
    if (shell == "bash") return kBash;
    if (shell == "zsh") return kZsh;
    if (shell == "fish") return kFish;
    return fail(Code::invalid, "'" + std::string(shell) + "' is unknown; there are: bash, zsh, fish");
}

} // namespace mydocker::cli
