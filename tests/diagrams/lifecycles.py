"""Twenty lifecycles of real life, in the notation of the generator: states, then events (name:sources>target).

Must not know how they are drawn.
"""

from __future__ import annotations

from typing import Any

from fsm_lifecycle.definition import Event, State, Table

NOTATION = """
order
    placed:initial paid packed shipped delivered:terminal cancelled:terminal returned refunded:terminal
        pay:placed>paid pack:paid>packed ship:packed>shipped deliver:shipped>delivered
        cancel:placed|paid|packed>cancelled request_return:shipped>returned refund:returned|paid>refunded
        reship:returned>packed edit_items:placed>placed
ticket
    new:initial open pending on_hold solved closed:terminal
        assign:new>open reassign:open>open ask_customer:open>pending customer_replied:pending>open
        hold:open|pending>on_hold resume:on_hold>open solve:open|pending|on_hold>solved reopen:solved>open
        close:solved>closed mark_spam:new>closed
leave request
    draft:initial submitted manager_approved approved rejected:terminal cancelled:terminal taken:terminal
        submit:draft>submitted return_for_change:submitted>draft approve:submitted>manager_approved
        confirm:manager_approved>approved reject:submitted|manager_approved>rejected
        cancel:draft|submitted|manager_approved|approved>cancelled mark_taken:approved>taken
hiring
    applied:initial screening phone_interview onsite_interview offer accepted hired:terminal
    rejected:terminal withdrawn:terminal
        screen:applied>screening invite:screening>phone_interview
        invite_onsite:phone_interview>onsite_interview make_offer:onsite_interview>offer
        improve_offer:offer>offer accept:offer>accepted start:accepted>hired
        reject:applied|screening|phone_interview|onsite_interview>rejected
        withdraw:applied|screening|phone_interview|onsite_interview|offer>withdrawn withdraw:accepted>withdrawn
        repeat_onsite:offer>onsite_interview
insurance claim
    reported:initial registered assessment waiting_for_documents fraud_check approved partially_approved
    denied appealed paid:terminal closed:terminal
        register:reported>registered assess:registered>assessment
        request_documents:assessment>waiting_for_documents documents_received:waiting_for_documents>assessment
        flag:assessment>fraud_check clear:fraud_check>assessment approve:assessment>approved
        approve_part:assessment>partially_approved deny:assessment|fraud_check>denied
        appeal:denied|partially_approved>appealed reassess:appealed>assessment uphold:appealed>closed
        pay:approved|partially_approved>paid withdraw:reported|registered|waiting_for_documents>closed
        expire:waiting_for_documents|denied>closed
pull request
    draft:initial open:initial changes_requested approved merge_queue merged:terminal closed
        ready:draft>open convert_to_draft:open|changes_requested>draft
        request_changes:open|approved>changes_requested push:changes_requested>open push:approved>open
        approve:open|changes_requested>approved enqueue:approved>merge_queue dequeue:merge_queue>approved
        merge:approved|merge_queue>merged close:draft|open|changes_requested|approved>closed reopen:closed>open
shipment
    created:initial label_printed picked_up in_transit customs out_for_delivery delivered:terminal
    failed_attempt returning returned:terminal lost:terminal
        print_label:created>label_printed pick_up:label_printed>picked_up depart:picked_up>in_transit
        scan:in_transit>in_transit arrive_customs:in_transit>customs release:customs>in_transit
        load:in_transit>out_for_delivery deliver:out_for_delivery>delivered
        fail:out_for_delivery>failed_attempt retry:failed_attempt>out_for_delivery
        send_back:failed_attempt|customs>returning receive_back:returning>returned
        declare_lost:in_transit|customs|returning>lost
subscription
    trial:initial active past_due paused cancelled expired:terminal
        activate:trial>active payment_failed:active>past_due payment_recovered:past_due>active
        pause:active>paused resume:paused>active cancel:trial|active|past_due|paused>cancelled
        reactivate:cancelled>active expire:trial|cancelled|past_due>expired renew:active>active
loan
    application:initial credit_check underwriting conditional_approval approved declined:terminal funded
    repaying delinquent restructured default repaid:terminal written_off:terminal withdrawn:terminal
        check_credit:application>credit_check pass:credit_check>underwriting
        decline:credit_check|underwriting|conditional_approval>declined
        request_conditions:underwriting>conditional_approval conditions_met:conditional_approval>underwriting
        approve:underwriting>approved fund:approved>funded first_payment:funded>repaying
        payment:repaying>repaying miss_payment:repaying|restructured>delinquent catch_up:delinquent>repaying
        restructure:delinquent>restructured comply:restructured>repaying default:delinquent>default
        write_off:default>written_off settle:repaying|default|restructured>repaid
        withdraw:application|credit_check|underwriting|conditional_approval|approved>withdrawn
purchase order
    draft:initial pending_manager pending_finance pending_director approved ordered partially_received
    received invoiced paid:terminal rejected cancelled:terminal
        submit:draft>pending_manager approve_manager:pending_manager>pending_finance
        approve_finance:pending_finance>approved escalate:pending_finance>pending_director
        approve_director:pending_director>approved
        reject:pending_manager|pending_finance|pending_director>rejected revise:rejected>draft
        order:approved>ordered receive_part:ordered|partially_received>partially_received
        receive_all:ordered|partially_received>received match_invoice:received|partially_received>invoiced
        dispute:invoiced>received pay:invoiced>paid
        cancel:draft|pending_manager|pending_finance|pending_director|approved>cancelled
        cancel:ordered|rejected>cancelled
medical referral
    requested:initial triaged waiting_list scheduled attended missed completed:terminal rejected:terminal
    discharged:terminal
        triage_urgent:requested>scheduled triage:requested>triaged add_to_list:triaged>waiting_list
        schedule:triaged|waiting_list>scheduled reschedule:scheduled>scheduled attend:scheduled>attended
        no_show:scheduled>missed rebook:missed>waiting_list follow_up:attended>waiting_list
        complete:attended>completed reject:requested|triaged>rejected
        discharge:missed|attended|waiting_list>discharged
permit
    submitted:initial intake_check incomplete technical_review public_consultation objection decision
    granted refused appeal revoked:terminal expired:terminal final:terminal
        check:submitted>intake_check incomplete:intake_check>incomplete supplement:incomplete>intake_check
        accept:intake_check>technical_review ask_more:technical_review>incomplete
        publish:technical_review>public_consultation object:public_consultation>objection
        hear:objection>technical_review close_consultation:public_consultation>decision
        grant:decision|appeal>granted refuse:decision>refused appeal:refused>appeal
        confirm_refusal:appeal>refused revoke:granted>revoked expire:granted|incomplete>expired
        become_final:refused|granted>final
bug
    unconfirmed:initial new assigned in_progress resolved verified closed:terminal reopened
        confirm:unconfirmed>new assign:new|reopened>assigned start:assigned>in_progress
        give_up:in_progress>assigned resolve:in_progress|assigned|new|unconfirmed>resolved
        verify:resolved>verified close:verified|resolved>closed reopen:resolved|verified>reopened
content publishing
    draft:initial in_review fact_check scheduled published unpublished archived:terminal
        submit:draft>in_review request_edits:in_review|fact_check>draft send_to_fact_check:in_review>fact_check
        approve:fact_check|in_review>scheduled publish:scheduled>published publish_now:in_review>published
        unschedule:scheduled>draft update:published>published unpublish:published>unpublished
        revise:unpublished>draft archive:published|unpublished|draft>archived
KYC
    started:initial documents_requested documents_received automatic_check manual_review
    enhanced_due_diligence verified rejected:terminal suspended expired
        request_documents:started>documents_requested upload:documents_requested>documents_received
        check:documents_received>automatic_check pass:automatic_check>verified
        refer:automatic_check>manual_review ask_again:manual_review|automatic_check>documents_requested
        verify:manual_review|enhanced_due_diligence>verified escalate:manual_review>enhanced_due_diligence
        reject:manual_review|enhanced_due_diligence>rejected suspend:verified>suspended
        reinstate:suspended>verified expire:verified>expired renew:expired|suspended>documents_requested
refund
    requested:initial approved processing failed completed:terminal declined:terminal
        approve:requested>approved auto_approve:requested>approved decline:requested>declined
        process:approved>processing complete:processing>completed fail:processing>failed
        retry:failed>processing give_up:failed>declined
contract
    drafting:initial internal_review negotiation out_for_signature signed active amended renewal_due
    renewed terminated:terminal expired:terminal abandoned:terminal
        submit:drafting>internal_review return:internal_review>drafting send:internal_review>negotiation
        redline:negotiation>internal_review agree:negotiation>out_for_signature
        decline_signature:out_for_signature>negotiation sign:out_for_signature>signed activate:signed>active
        amend:active|renewed>amended apply_amendment:amended>active approach_end:active>renewal_due
        renew:renewal_due>renewed restart:renewed>active let_expire:renewal_due>expired
        terminate:active|amended|renewed|renewal_due>terminated
        abandon:drafting|internal_review|negotiation|out_for_signature>abandoned
incident
    detected:initial triaged investigating identified mitigated monitoring resolved postmortem
    closed:terminal false_alarm:terminal
        triage:detected>triaged dismiss:detected|triaged|investigating>false_alarm
        investigate:triaged>investigating escalate:investigating>investigating page_oncall:triaged>triaged
        identify:investigating>identified mitigate:investigating|identified>mitigated
        monitor:mitigated>monitoring regress:monitoring|mitigated>investigating
        resolve:monitoring|identified>resolved reopen:resolved>investigating
        write_postmortem:resolved>postmortem close:postmortem|resolved>closed
recruiting
    requisition:initial budget_check approved_headcount job_ad_draft job_ad_review published
    applications_open applications_closed longlist cv_screening questionnaire phone_screen assessment_test
    case_study first_interview second_interview panel_interview reference_check background_check shortlist
    offer_draft offer_approval offer_sent offer_negotiation offer_accepted contract_signed onboarding
    hired:terminal rejected:terminal cancelled:terminal
        check_budget:requisition>budget_check approve:budget_check>approved_headcount
        deny:budget_check>cancelled write_ad:approved_headcount>job_ad_draft
        review_ad:job_ad_draft>job_ad_review rework_ad:job_ad_review>job_ad_draft
        publish:job_ad_review>published open:published>applications_open
        close_applications:applications_open>applications_closed reopen:applications_closed>applications_open
        extend:applications_open>applications_open collect:applications_closed>longlist
        screen:longlist>cv_screening ask:cv_screening>questionnaire answered:questionnaire>phone_screen
        call:cv_screening>phone_screen test:phone_screen>assessment_test give_case:phone_screen>case_study
        case_done:case_study>first_interview tested:assessment_test>first_interview
        interview_again:first_interview>second_interview panel:second_interview|first_interview>panel_interview
        check_references:panel_interview>reference_check check_background:reference_check>background_check
        list:background_check|reference_check>shortlist draft_offer:shortlist>offer_draft
        approve_offer:offer_draft>offer_approval revise_offer:offer_approval>offer_draft
        send_offer:offer_approval>offer_sent negotiate:offer_sent>offer_negotiation
        counter:offer_negotiation>offer_draft accept:offer_sent|offer_negotiation>offer_accepted
        sign:offer_accepted>contract_signed onboard:contract_signed>onboarding complete:onboarding>hired
        no_show:onboarding>rejected
        reject:cv_screening|questionnaire|phone_screen|assessment_test|case_study>rejected
        reject:first_interview|second_interview|panel_interview|background_check>rejected
        decline_offer:offer_sent|offer_negotiation>shortlist
        cancel:requisition|approved_headcount|job_ad_draft|published|applications_closed>cancelled
        cancel:longlist|shortlist>cancelled restart:applications_closed>job_ad_draft
fully connected
    north:initial east south west up down
        n_to_e:north>east n_to_s:north>south n_to_w:north>west n_to_u:north>up n_to_d:north>down
        e_to_n:east>north e_to_s:east>south e_to_w:east>west e_to_u:east>up e_to_d:east>down s_to_n:south>north
        s_to_e:south>east s_to_w:south>west s_to_u:south>up s_to_d:south>down w_to_n:west>north
        w_to_e:west>east w_to_s:west>south w_to_u:west>up w_to_d:west>down u_to_n:up>north u_to_e:up>east
        u_to_s:up>south u_to_w:up>west u_to_d:up>down d_to_n:down>north d_to_e:down>east d_to_s:down>south
        d_to_w:down>west d_to_u:down>up
"""


def table(notation: str) -> Table:
    """The table of a notation: states with their marks, then events."""
    found: dict[str, State] = {}
    sources: dict[str, list[State]] = {}
    targets: dict[str, State] = {}
    for word in notation.split():
        if ">" not in word:
            value, *marks = word.split(":")
            found[value] = State(value, initial="initial" in marks, terminal="terminal" in marks)
            continue
        name, _, rest = word.partition(":")
        before, _, after = rest.partition(">")
        sources.setdefault(name, []).extend(found[value] for value in before.split("|"))
        assert targets.setdefault(name, found[after]) is found[after]
    # A state and an event may share a name; in a class they could not share an attribute.
    members: dict[str, Any] = {f"state_{value}": state for value, state in found.items()}
    members.update({name: Event(*of, to=targets[name]) for name, of in sources.items()})
    return Table(type("Lifecycle", (), members))


def tables() -> dict[str, Table]:
    """Each lifecycle's table by its name: a line that is not indented begins the next one."""
    found: dict[str, str] = {}
    name = ""
    for line in NOTATION.strip().splitlines():
        if line.startswith(" "):
            found[name] += line
        else:
            name = line
            found[name] = ""
    return {name: table(notation) for name, notation in found.items()}


TABLES = tables()
