# What a person's zsh makes of "$1" and a tab: typed into an interactive one, with the completions of the folder $COMP.
module_path=($SHELLS/usr/lib/*/zsh/*(/N))
zmodload zsh/zpty
zpty z $SHELLS/bin/zsh -f -i
setup="module_path=($module_path); PS1=; fpath=(${(q)COMP} $SHELLS/usr/share/zsh/functions/Completion/*(/N) $SHELLS/usr/share/zsh/functions/*(/N))"
zpty -w z "$setup; autoload -Uz compinit; compinit -u -d $HOME/dump; bindkey '^I' complete-word; show() { zle -I; print -r -- \"BUF<\$BUFFER>E\"ND; BUFFER=; }; zle -N show; bindkey '^X' show; print REA''DY"
zpty -r -m z line '*READY*'
zpty -w -n z "$1"$'\t'$'\x18'
zpty -r -m z line '*>END*'
print -r -- ${${line##*BUF<}%%>END*}
